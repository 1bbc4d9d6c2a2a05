"""Keep the ledger in MLflow's own store, as the parameters of one run.

MLflow never changes a parameter that was logged: the second of two who write the same entry is
told so. That makes a run's parameters a list that can only grow, on any of MLflow's databases and
through its server. The registered model's tag names the run, so that all who share the registry
find the same one.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.errors import PipelineError
from pipeline.registry.ledger import DONE, ENTRY, Entry, Ledger, key
from pipeline.tracking.experiment import KIND_TAG, Tracking, actor

LEDGER_TAG = "ledger.run_id"
LEDGER = "ledger"
NOT_FOUND = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
SENTENCE = 300  # characters that an entry keeps of what a gate says
REASON = 500
DESCRIPTION = (
    "Who moved which stage, when and why: `python -m pipeline history` reads it. "
    "Only ever added to; not to be deleted."
)


class OvertakenError(Exception):
    """Somebody else wrote the entry with this number."""


class LedgerStore:
    """The ledger of one registered model."""

    def __init__(self, tracking: Tracking, name: str) -> None:
        self.tracking = tracking
        self.name = name

    @property
    def _client(self) -> MlflowClient:
        return self.tracking.client

    def read(self) -> Ledger:
        """Read all entries; none where there is no ledger yet."""
        run_id = self._run_id()
        return Ledger() if run_id is None else Ledger.parse(self._run(run_id).data.params)

    def append(self, ledger: Ledger, **what: Any) -> Entry:
        """Write the entry that follows on `ledger`; raises OvertakenError where there is one."""
        run_id = self._run_id() or self._begin()
        now = datetime.now(UTC)
        entry = Entry(
            number=ledger.last + 1,
            # A clock that is behind must not put a later entry before an earlier one.
            time=max([now, *(entry.time for entry in ledger.entries[-1:])]),
            actor=actor(),
            previous=ledger.head,
            **_shortened(what),
        )
        text, name = entry.to_text(), key(ENTRY, entry.number)
        if self._run(run_id).info.lifecycle_stage == "deleted":
            self._client.restore_run(run_id)
        try:
            self._client.log_param(run_id, name, text)
        except MlflowException as error:
            if self._run(run_id).data.params.get(name, text) != text:
                raise OvertakenError from error
            raise
        return entry

    def mark_done(self, entry: Entry) -> None:
        self._client.log_param(str(self._run_id()), key(DONE, entry.number), "done")

    def is_deleted(self) -> bool:
        """True if somebody deleted the ledger's run, which MLflow keeps for a while."""
        run_id = self._run_id()
        return run_id is not None and self._run(run_id).info.lifecycle_stage == "deleted"

    def restore(self) -> None:
        self._client.restore_run(str(self._run_id()))

    def _run_id(self) -> str | None:
        return (self._tags() or {}).get(LEDGER_TAG) or None

    def _tags(self) -> dict[str, str] | None:
        """Return the registered model's tags, None where it is not registered."""
        try:
            return dict(self._client.get_registered_model(self.name).tags)
        except MlflowException as error:
            if error.error_code in NOT_FOUND:
                return None
            raise

    def _run(self, run_id: str) -> Run:
        try:
            return self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code not in NOT_FOUND:
                raise
            raise PipelineError(
                f"the ledger of {self.name} is gone: its run {run_id} was removed for good; "
                "`python -m pipeline doctor --fix` begins a new one, which says so"
            ) from error

    def begin_anew(self) -> None:
        """Begin a ledger in the place of one that was removed."""
        self._client.delete_registered_model_tag(self.name, LEDGER_TAG)
        self._begin()

    def ensure_model(self) -> None:
        """Register the model where it is not, in one step with the name of its ledger's run."""
        if self._tags() is not None:
            return
        run_id = self._new_run()
        try:
            self._client.create_registered_model(self.name, tags={LEDGER_TAG: run_id})
        except MlflowException as error:
            self._client.delete_run(run_id)
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _begin(self) -> str:
        """Begin the ledger of a model that was registered without one.

        MLflow's tags have no "if it is not there": of two who do this at once, the last one's run
        is named, and the other sees it when it reads the tag back.
        """
        run_id = self._new_run()
        if self._run_id() is None:
            self._client.set_registered_model_tag(self.name, LEDGER_TAG, run_id)
        named = str(self._run_id())
        if named != run_id:
            self._client.delete_run(run_id)
        return named

    def _new_run(self) -> str:
        tags = {KIND_TAG: LEDGER, "mlflow.note.content": DESCRIPTION}
        run_id = str(self.tracking.new_run(f"ledger of {self.name}", tags).info.run_id)
        self._client.set_terminated(run_id, "FINISHED")
        return run_id


def _shortened(what: dict[str, Any]) -> dict[str, Any]:
    """Keep an entry within what a parameter may hold."""
    gates = tuple(
        msgspec.structs.replace(gate, sentence=gate.sentence[:SENTENCE])
        for gate in what.get("gates", ())
    )
    return {**what, "gates": gates, "reason": what.get("reason", "")[:REASON]}
