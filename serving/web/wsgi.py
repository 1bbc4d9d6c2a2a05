"""The application that gunicorn's workers load, in step with the store from now on."""

import atexit
import os
from pathlib import Path

from flask import Flask

from serving.config import read_settings
from serving.log import logger
from serving.web import metrics_folder
from serving.web.app import create_app
from serving.web.metrics import Metrics
from serving.web.watcher import Watcher
from serving.web.worker_state import State


def load_app() -> Flask:
    settings = read_settings()
    # With a keys file nobody is let in until it has been read.
    keys = None if settings.api_keys_file is None else ()
    state = State(settings, None, keys, Metrics())
    shared = os.environ.get(metrics_folder.VARIABLE)
    Watcher(state, Path(shared) / "keys" if shared else None).start()
    if state.served is None:
        logger.warning("not ready: no version of %s from the store", settings.model)
    atexit.register(state.metrics.flush)
    return create_app(state)


app = load_app()
