import msgspec
import pytest

from serving.web.app import create_app
from serving.web.metrics import Metrics
from serving.web.worker_state import State


@pytest.fixture
def make_app(settings, served):
    """Make the application with other settings than the usual ones."""

    def make(keys=None, served=served, **changes):
        changed = msgspec.structs.replace(settings, **changes)
        return create_app(State(changed, served, keys, Metrics()))

    return make
