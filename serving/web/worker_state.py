"""The state of one worker: settings, the version in force, keys, metrics."""

from dataclasses import dataclass, field

from serving.config import Settings
from serving.predictor import ServedModel
from serving.web.explaining import ExplainingThread
from serving.web.keys import Key
from serving.web.metrics import Metrics


@dataclass
class State:
    """`served` and `keys` are replaced as a whole, so a request reads each only once.

    `keys` is None where everyone may ask.
    """

    settings: Settings
    served: ServedModel | None
    keys: tuple[Key, ...] | None
    metrics: Metrics
    explaining: ExplainingThread = field(default_factory=ExplainingThread)
