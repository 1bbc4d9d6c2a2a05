"""The HTTP endpoints, and what they share: the settings and the version that answers."""

from dataclasses import dataclass
from typing import cast

from flask import current_app

from serving.answer import Served
from serving.config import Settings
from serving.errors import NoModelError

EXTENSION = "serving"


@dataclass
class State:
    """One worker's state; `served` is replaced as a whole, so a request reads it only once."""

    settings: Settings
    served: Served | None


def state() -> State:
    return cast(State, current_app.extensions[EXTENSION])


def served_model() -> Served:
    """Give the version that answers; raises NoModelError where there is none."""
    here = state()
    served = here.served
    if served is None:
        raise NoModelError(here.settings.model, here.settings.stage)
    return served
