"""The pages as people meet them: a real browser on a real service."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from serving.web.keys import Role, new_key
from tests.e2e.browsing import CHROMIUM, ask, fill_in_and_predict, probability_of
from tests.e2e.running import CLASSES, CONTRACT, SMOKER, keep, running
from tests.serving.small_model import THRESHOLD, with_features

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium to drive")

ROW: dict[str, float | bool | None] = {"Glucose": 122, "Age": 51, SMOKER: True}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keep(CONTRACT, tmp_path_factory.mktemp("kept"))


@pytest.fixture(scope="module")
def service(
    browser: Browser, store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with running(
        tmp_path_factory.mktemp("service"), SERVING_STORE=str(store), SERVING_MAX_ROWS="150"
    ) as url:
        yield url


@pytest.fixture
def page(context: BrowserContext, service: str) -> Page:
    page = context.new_page()
    page.goto(service)
    expect(page.get_by_label("Age")).to_be_visible()  # made when the contract has come
    return page


def about(page: Page, name: str) -> str:
    """Give what a screen reader says of a field besides its label."""
    ids = page.get_by_label(name).get_attribute("aria-describedby") or ""
    return " ".join(page.locator(f"#{each}").inner_text() for each in ids.split())


def test_the_form_is_made_from_the_contract(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("heart")
    expect(page.locator("label", has_text="Glucose")).to_have_text("Glucose mg/dL")
    assert about(page, "Glucose") == (
        "Plasma <b>glucose</b>\n20 to 1000 · in training 44 to 199\nempty or 0 if not known "
    )
    age = page.get_by_label("Age")
    assert [age.get_attribute(name) for name in ("type", "step", "min", "max")] == [
        "number",
        "1",
        "18",
        "120",
    ]
    expect(page.get_by_label(SMOKER).locator("option")).to_have_text(["choose", "yes", "no"])
    expect(page.locator("footer")).to_contain_text("heart, version 1, production")


def test_the_sample_is_answered_as_the_api_answers_it(page: Page, service: str) -> None:
    answer = ask(service, ROW)
    fill_in_and_predict(page)
    expect(page.locator("#probability")).to_have_text(f"{probability_of(answer):.3f}")
    expect(page.locator("#label")).to_have_text("Predicted: Disease is <i>yes</i>")
    expect(page.locator("#answer .warnings")).to_have_count(0)


def test_the_scale_shows_probability_and_threshold_at_their_places(
    page: Page, service: str
) -> None:
    probability = probability_of(ask(service, ROW))
    fill_in_and_predict(page)
    scale = page.get_by_role("img")
    expect(scale).to_have_accessible_name(
        f"On a scale from 0 to 1 the probability is {probability:.3f}; the threshold is 0.400."
    )
    track, line, mark = (
        page.locator(f".scale .{part}").bounding_box() for part in ("track", "threshold", "mark")
    )
    assert track is not None
    assert line is not None
    assert mark is not None
    for box, value in ((line, THRESHOLD), (mark, probability)):
        middle = box["x"] + box["width"] / 2
        assert (middle - track["x"]) / track["width"] == pytest.approx(value, abs=0.005)


@pytest.mark.parametrize(
    ("probability", "shown", "threshold"),
    [
        (0.39999, "0.39999", "0.40000"),
        (0.39999999999, "< 0.400000", "0.400000"),
        (0.99999999999996, "> 0.999", "0.400"),
        (1e-9, "< 0.001", "0.400"),
        (1.0, "1.000", "0.400"),
    ],
)
def test_probability_is_rounded_to_neither_threshold_nor_certainty(
    page: Page, probability: float, shown: str, threshold: str
) -> None:
    def answer(route: Route) -> None:
        prediction = {"label": CONTRACT.labels[0], "probability": probability, "warnings": []}
        model = {"name": "heart", "version": "1", "stage": "production"}
        route.fulfill(json={"predictions": [prediction], "model": model})

    page.set_viewport_size({"width": 320, "height": 700})
    page.route("**/predict", answer)
    fill_in_and_predict(page)
    expect(page.locator("#probability")).to_have_text(shown)
    expect(page.locator("#answer")).to_contain_text(f"stays below the threshold, {threshold}.")
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_answered_table_of_semicolons_is_shown_in_columns(page: Page, tmp_path: Path) -> None:
    body = 'a;"b;c";label;probability;warnings\n1,5;"x;y";1;0,99999;\n'
    page.route("**/predict", lambda route: route.fulfill(body=body, content_type="text/csv"))
    upload(page, table(tmp_path, 1))
    expect(page.locator("table")).to_be_visible()
    shown = page.locator("thead th").all_inner_texts()
    assert shown == ["row", "label", "probability", "a", "b;c", "warnings"]
    cells = page.locator("tbody tr").locator("th, td").all_inner_texts()
    assert cells == ["1", "1", "> 0.999", "1,5", "x;y", ""]


def test_an_unusual_value_is_answered_with_a_warning_at_its_field(page: Page) -> None:
    fill_in_and_predict(page, Glucose="300")
    warning = "Glucose 300 is outside the range seen in training, 44 to 199."
    expect(page.locator("#answer .warnings li")).to_have_text([warning])
    assert about(page, "Glucose").endswith(warning)
    expect(page.get_by_label("Glucose")).to_have_attribute("aria-invalid", "false")


def test_a_value_beyond_the_limits_is_an_error_at_its_field(page: Page) -> None:
    fill_in_and_predict(page, Age="5")
    age = page.get_by_label("Age")
    expect(age).to_have_attribute("aria-invalid", "true")
    assert about(page, "Age").endswith("Age 5 is below the lowest possible, 18.")
    expect(age).to_be_focused()
    expect(page.locator("#form-error")).to_have_text("Not answered: see the fields marked in red.")
    expect(page.locator("#probability")).to_have_count(0)
    age.fill("50")
    expect(age).to_have_attribute("aria-invalid", "false")


def test_an_empty_field_is_not_known_or_an_error(page: Page, service: str) -> None:
    fill_in_and_predict(page, Glucose="")
    expected = probability_of(ask(service, {**ROW, "Glucose": None}))
    expect(page.locator("#probability")).to_have_text(f"{expected:.3f}")
    page.get_by_label("Age").fill("")
    page.get_by_label(SMOKER).select_option("")
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_label("Age")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label(SMOKER)).to_have_attribute("aria-invalid", "true")


def test_what_is_no_number_is_never_sent_as_not_known(page: Page) -> None:
    page.get_by_role("button", name="Fill in a sample").click()
    page.get_by_label("Glucose").fill("")
    page.get_by_label("Glucose").press_sequentially("1e")
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_label("Glucose")).to_have_attribute("aria-invalid", "true")
    assert about(page, "Glucose").endswith("This is not a number.")
    expect(page.locator("#probability")).to_have_count(0)


def test_an_answer_does_not_outlive_the_values_it_is_for(page: Page) -> None:
    fill_in_and_predict(page)
    expect(page.locator("#probability")).to_be_visible()
    page.get_by_label("Age").fill("52")
    expect(page.locator("#answer-text")).to_have_text("The values have changed: predict again.")


def test_the_keyboard_alone_is_enough(page: Page, service: str) -> None:
    page.get_by_role("button", name="Fill in a sample").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Glucose")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("150")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Age")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("n")  # no
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Predict")).to_be_focused()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) == "solid"
    page.keyboard.press("Enter")
    expected = probability_of(ask(service, {"Glucose": 150, "Age": 51, SMOKER: False}))
    expect(page.locator("#probability")).to_have_text(f"{expected:.3f}")


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_need_not_scroll_sideways(page: Page, width: int, tmp_path: Path) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    fill_in_and_predict(page, Glucose="300")
    expect(page.locator(".warnings")).to_be_visible()
    upload(page, table(tmp_path, 3))
    expect(page.locator("table")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    answer = page.locator("#answer")
    page.get_by_role("button", name="Predict").click()
    expect(answer).to_be_in_viewport(ratio=0.5)


def table(folder: Path, rows: int, age: int = 50) -> Path:
    path = folder / f"people, {rows}.csv"
    lines = ["Id,Glucose,Age,Smoker/ever", *(f'"no, {i}",,{age},true' for i in range(rows))]
    path.write_text("\n".join(lines) + "\n")
    return path


def upload(page: Page, path: Path) -> None:
    page.get_by_label("Choose a CSV file").set_input_files(path)


def test_a_csv_comes_back_as_a_table_and_as_a_file(
    page: Page, service: str, tmp_path: Path
) -> None:
    path = table(tmp_path, 120)
    answer = requests.post(
        f"{service}/predict",
        data=path.read_bytes(),
        headers={"Content-Type": "text/csv"},
        timeout=5,
    )
    assert answer.status_code == 200
    upload(page, path)
    expect(page.locator("#many-text")).to_have_text(
        "120 rows are answered; the first 100 are shown."
    )
    expect(page.locator("tbody tr")).to_have_count(100)
    header, first = list(csv.reader(io.StringIO(answer.text)))[:2]
    shown = page.locator("thead th").all_inner_texts()
    assert shown == ["row", "label", "probability", *header[:-3], "warnings"]
    cells = page.locator("tbody tr").first.locator("th, td").all_inner_texts()
    label, probability, warnings = first[-3:]
    assert cells == ["1", label, f"{float(probability):.3f}", *first[:-3], warnings]
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "scored-people, 120.csv"
    assert download.value.path().read_bytes() == answer.content


def test_a_file_that_is_dropped_is_answered_too(page: Page, tmp_path: Path) -> None:
    dropped = page.evaluate_handle(
        """text => {
            const given = new DataTransfer();
            given.items.add(new File([text], "dropped.csv", {type: "text/csv"}));
            return given;
        }""",
        table(tmp_path, 2).read_text(),
    )
    page.locator(".drop").dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.get_by_role("link", name="Download scored-dropped.csv")).to_be_visible()


def test_a_refused_csv_says_which_rows(page: Page, tmp_path: Path) -> None:
    upload(page, table(tmp_path, 2, age=5))
    expect(page.locator("#many-error p")).to_have_text(
        "people, 2.csv: Row 1, Age: 5 is below the lowest possible, 18 (2 errors in all, 2 listed)."
    )
    expect(page.locator("#many-error li")).to_have_text(
        ["Row 2, Age: 5 is below the lowest possible, 18."]
    )
    upload(page, table(tmp_path, 3))
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("#many-error")).to_be_empty()


def test_a_service_that_is_gone_is_told_in_a_sentence(page: Page) -> None:
    expect(page.get_by_label("Age")).to_be_visible()
    page.route("**/predict", lambda route: route.abort())
    fill_in_and_predict(page)
    expect(page.locator("#form-error")).to_have_text("The service cannot be reached.")


def test_a_service_without_a_model_says_so(context: BrowserContext, tmp_path: Path) -> None:
    with running(tmp_path) as url:
        page = context.new_page()
        for address in ("/", "/docs"):
            page.goto(url + address)
            expect(page.get_by_role("alert").first).to_contain_text(
                "The service cannot answer just now. No version of `heart` is in stage"
            )
            expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_another_version_that_answers_brings_its_own_threshold(
    context: BrowserContext, tmp_path: Path
) -> None:
    with running(tmp_path, SERVING_STORE=str(keep(CONTRACT, tmp_path))) as url:
        page = context.new_page()
        page.route("**/contract", lambda route: older(route), times=1)
        page.goto(url)
        expect(page.locator("footer")).to_contain_text("version 0")
        fill_in_and_predict(page)
        expect(page.locator("#answer")).to_contain_text("the threshold, 0.400")
        expect(page.locator("footer")).to_contain_text("version 1")
        expect(page.get_by_label("Age")).to_have_value("51")


@pytest.fixture(scope="module")
def of_species(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("species")
    with running(folder, SERVING_STORE=str(keep(CLASSES, folder))) as url:
        yield url


@pytest.mark.parametrize("width", [320, 1200])
def test_more_classes_are_bars_in_order_of_their_probability(
    context: BrowserContext, of_species: str, width: int, tmp_path: Path
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 700})
    page.goto(of_species)
    expect(page.locator("#purpose")).to_contain_text("how probable each class of Species is.")
    fill_in_and_predict(page, Glucose="60")
    answer = ask(of_species, {"Glucose": 60, "Age": 51, "Smoker": True})
    by_class = answer["predictions"][0]["probabilities"]
    names = {"<b>Adelie</b>": "small", "10": "of Antarctica", "9": "tall"}
    order = sorted(by_class, key=by_class.get, reverse=True)
    expect(page.locator("#label")).to_have_text(
        f"Predicted: Species is {order[0]} ({names[order[0]]})"
    )
    expect(page.locator("#probability")).to_have_text(f"{by_class[order[0]]:.3f}")
    expect(page.locator("#second")).to_contain_text(f"Next: {order[1]} ({names[order[1]]}), ")
    items = [f"{each} ({names[each]}){by_class[each]:.3f}" for each in order]
    expect(page.locator(".classes li")).to_have_text(items)
    track, fill = (page.locator(f".bar .{part}").first.bounding_box() for part in ("track", "fill"))
    assert track is not None
    assert fill is not None
    assert fill["width"] / track["width"] == pytest.approx(by_class[order[0]], abs=0.005)
    (tmp_path / "in.csv").write_text("id,Glucose,Age,Smoker\na,60,51,1\n")
    upload(page, tmp_path / "in.csv")
    expect(page.locator("tbody tr")).to_have_count(1)
    shown = page.locator("thead th").all_inner_texts()
    assert shown[:3] == ["row", "label", "probability_<b>Adelie</b>"]
    assert shown[5:] == ["id", "Glucose", "Age", "Smoker", "warnings"]
    cells = page.locator("tbody tr").locator("th, td").all_inner_texts()
    assert cells[:5] == ["1", order[0], *(f"{p:.3f}" for p in by_class.values())]
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_more_than_ten_classes_unfold_with_the_keyboard(
    context: BrowserContext, of_species: str
) -> None:
    classes = [f"kind {place}" for place in range(12)]

    def described(route: Route) -> None:
        found = route.fetch().json()
        found["contract"] |= {"classes": classes, "class_names": None}
        route.fulfill(json=found | {"labels": classes})

    def answer(route: Route) -> None:
        probabilities = {name: 0.9998 if i == 3 else 0.0002 / 11 for i, name in enumerate(classes)}
        prediction = {"label": "kind 3", "probabilities": probabilities, "warnings": []}
        model = {"name": "heart", "version": "1", "stage": "production"}
        route.fulfill(json={"predictions": [prediction], "model": model})

    page = context.new_page()
    page.route("**/contract", described)
    page.route("**/predict", answer)
    page.goto(of_species)
    fill_in_and_predict(page)
    expect(page.locator("#probability")).to_have_text("> 0.999")
    expect(page.locator("#second")).to_have_text("Next: kind 0, < 0.001.")
    expect(page.locator(".classes li:visible")).to_have_count(10)
    page.get_by_text("2 more classes").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".classes li:visible")).to_have_count(12)


# A text that would be markup, and one that reads like an answer's own words.
WORDS = with_features(
    {}, {}, {"type": "category", "categories": ("never", "<i>daily</i>", "true"), "nullable": True}
)


def test_a_category_is_chosen_from_its_texts_or_not_known(
    context: BrowserContext, tmp_path: Path
) -> None:
    with running(tmp_path, SERVING_STORE=str(keep(WORDS, tmp_path))) as url:
        page = context.new_page()
        page.goto(url)
        choice = page.get_by_label("Smoker")
        expect(choice.locator("option")).to_have_text(
            ["not known", "never", "<i>daily</i>", "true"]
        )
        page.get_by_role("button", name="Fill in a sample").click()
        expect(choice).to_have_value("never")
        for shown, sent in [
            ("<i>daily</i>", "<i>daily</i>"),
            ("true", "true"),
            ("not known", None),
        ]:
            choice.select_option(label=shown)
            page.get_by_role("button", name="Predict").click()
            expect(page.locator("#answer")).to_have_class(re.compile("answered"))
            answer = ask(url, {"Glucose": 122, "Age": 51, "Smoker": sent})
            probability = answer["predictions"][0]["probability"]
            expect(page.locator("#probability")).to_have_text(f"{probability:.3f}")


def older(route: Route) -> None:
    described = route.fetch().json()
    described["model"]["version"] = "0"
    described["contract"]["threshold"] = 0.9
    route.fulfill(json=described)


@pytest.fixture(scope="module")
def key() -> tuple[str, str]:
    secret, key = new_key("frontend", [Role.PREDICT])
    return secret, str(key)


@pytest.fixture(scope="module")
def locked(
    browser: Browser, store: Path, key: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("locked")
    (folder / "keys").write_text(key[1] + "\n")
    with running(folder, SERVING_STORE=str(store), SERVING_API_KEYS_FILE="keys") as url:
        yield url


def give_key(page: Page, secret: str) -> None:
    page.get_by_label("API key").fill(secret)
    page.keyboard.press("Enter")


def test_a_service_with_keys_asks_for_one_and_keeps_it_in_the_tab(
    context: BrowserContext, locked: str, key: tuple[str, str]
) -> None:
    page = context.new_page()
    page.goto(locked)
    expect(page.get_by_label("API key")).to_be_focused()
    expect(page.locator("#key-error")).to_be_empty()
    expect(page.get_by_role("button", name="Predict")).to_be_hidden()
    give_key(page, "a-wrong-one")
    expect(page.locator("#key-error")).to_have_text("The key is not one of this service's.")
    give_key(page, "schlüssel")
    expect(page.locator("#key-error")).to_contain_text("letters, digits and signs")
    give_key(page, key[0])
    fill_in_and_predict(page)
    expect(page.locator("#probability")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Predict")).to_be_visible()

    assert page.evaluate("localStorage.length") == 0
    assert context.cookies() == []
    other = context.new_page()
    other.goto(locked)
    expect(other.get_by_label("API key")).to_be_visible()

    page.get_by_role("button", name="Forget the key").click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def test_a_key_that_is_withdrawn_is_asked_for_again(
    context: BrowserContext, locked: str, key: tuple[str, str]
) -> None:
    page = context.new_page()
    page.goto(locked)
    give_key(page, key[0])
    expect(page.get_by_role("button", name="Predict")).to_be_visible()
    page.evaluate("sessionStorage.setItem('api-key', 'withdrawn')")
    fill_in_and_predict(page)
    expect(page.locator("#key-error")).to_have_text("The key is not one of this service's.")


def try_predict(page: Page) -> None:
    """Send the example of POST /predict from Swagger UI."""
    operation = page.locator("#operations-Predict-predict")
    operation.locator(".opblock-summary-control").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()
    status = operation.locator(".live-responses-table .response .response-col_status")
    expect(status).to_contain_text("200")


def test_the_docs_show_every_operation_and_try_one(context: BrowserContext, service: str) -> None:
    paths = requests.get(f"{service}/openapi.json", timeout=5).json()["paths"]
    page = context.new_page()
    page.goto(f"{service}/docs")
    expect(page.locator(".opblock")).to_have_count(len(paths))
    expect(page.get_by_role("heading", level=1)).to_contain_text("heart")
    try_predict(page)
    page.get_by_role("button", name="Schemas").click()
    expect(page.locator("section.models")).to_contain_text("Prediction")


def test_the_docs_take_the_key_that_the_tab_has(
    context: BrowserContext, locked: str, key: tuple[str, str]
) -> None:
    page = context.new_page()
    page.goto(f"{locked}/docs")
    give_key(page, "a-wrong-one")
    expect(page.locator("#key-error")).to_have_text("The key is not one of this service's.")
    give_key(page, key[0])
    try_predict(page)
    page.goto(locked)
    expect(page.get_by_role("button", name="Predict")).to_be_visible()
