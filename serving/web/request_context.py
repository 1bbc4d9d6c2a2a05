"""One request and its answer, as it passes through the service."""

from time import perf_counter

from serving.errors import NoModelError, TooLongError
from serving.log import logger
from serving.model.rows import Rows
from serving.predictor import Scored, ServedModel, score
from serving.web.figures import PredictionsNote
from serving.web.permissions import Route
from serving.web.worker_state import State


class RequestContext:
    """A request, as endpoints, log and metrics share it; without any of its values."""

    __slots__ = (
        "_served",
        "begun",
        "key",
        "request_id",
        "route",
        "rows",
        "started",
        "state",
        "status",
    )

    def __init__(self, state: State, request_id: str, route: Route) -> None:
        self.state = state
        self.request_id = request_id
        self.route = route
        self.started = perf_counter()
        self.status = "500"
        self.begun = False  # True once the answer's headers were handed to the server
        self.key: str | None = None
        self.rows: int | None = None
        self._served: ServedModel | None = None

    @property
    def version(self) -> str | None:
        """The version that answered, once one was asked for."""
        return self._served and self._served.version.version

    def served_model(self) -> ServedModel:
        """Return the version that answers this request: the same one, however often it is asked.

        Raises NoModelError where there is none.
        """
        if self._served is None:
            self._served = self.state.served
        if self._served is None:
            raise NoModelError(self.state.settings.model, self.state.settings.stage)
        return self._served

    def score(self, served: ServedModel, rows: Rows) -> Scored:
        """Predict for rows that the contract allows, and keep count."""
        try:
            scored = score(served, rows, until=self.started + self.state.settings.deadline)
        except TooLongError as error:
            logger.error("request %s: %s", self.request_id, error)
            raise
        self.rows = len(scored.labels)
        classes = served.scorer.contract.classes
        route, labels = self.route.name, scored.labels
        self.state.metrics.predictions(
            PredictionsNote(route, classes, labels, scored.probabilities, scored.outside)
        )
        return scored
