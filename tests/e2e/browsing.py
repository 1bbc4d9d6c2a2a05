"""What the tests of the page share: what people do there, and what the API answers."""

import shutil
from collections.abc import Mapping
from typing import Any

import requests
from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium")
# What a browser says of each answer that is an error, or of none; not of the page.
NO_ANSWER = "Failed to load resource: "


def ask(service: str, row: Mapping[str, float | bool | str | None]) -> dict[str, Any]:
    return dict(requests.post(f"{service}/predict", json=row, timeout=5).json())


def fill_in_and_predict(page: Page, **values: str) -> None:
    page.get_by_role("button", name="Fill in a sample").click()
    for name, value in values.items():
        page.get_by_label(name).fill(value)
    page.get_by_role("button", name="Predict").click()


def probability_of(answer: dict[str, object]) -> float:
    predictions = answer["predictions"]
    assert isinstance(predictions, list)
    (prediction,) = predictions
    return float(prediction["probability"])
