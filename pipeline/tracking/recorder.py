"""Track a search while it runs: candidates appear in MLflow as they are scored.

The process that `pipeline.tracking.reporter` starts and talks to. It works aside, at a low
priority, takes the project's lock for each batch only, and lives through a store that is away.
"""

import gc
import os
import queue
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import msgspec
import pandas as pd
from mlflow.entities import Run

from pipeline.errors import PipelineError
from pipeline.lineage.git import git_commit
from pipeline.progress import Progress
from pipeline.search.grid import fold_column, statistics
from pipeline.tracking.experiment import FAILURE_TAG, KIND_TAG, PROCESS_TAG, Tracking, run_name
from pipeline.tracking.locks import WORKSPACE_TAG, Ownership, workspace
from pipeline.tracking.messages import Begin, End, Finish, Message, Scored
from pipeline.tracking.nested_runs import (
    Name,
    NestedRun,
    complete,
    delete_unfinished,
    finished,
    from_results,
    log_candidates,
    metric_name,
)
from pipeline.tracking.result_runs import (
    CANDIDATES_TAG,
    DESCRIPTION_TAG,
    FAILED_STAGE_TAG,
    SEARCH,
    learning_curve_series,
    winners_metrics,
)
from pipeline.tracking.store import open_tracking, warm_up
from pipeline.tracking.views import show_search

FOLDS = "grid_search.folds"  # among the settings of a search
KEY_TAG = "search.key"  # what the search's scores are a function of
TOTAL_TAG = "search.candidates"
BATCH = 50  # candidates that are logged under one hold of the lock
RETRY_S = 5.0
# Of tqdm: in a log and on a terminal alike, since the stage's own lines may come between.
LOGGING = {"bar_format": "{desc}: {n:.0f} of {total:.0f}{left}\n", "mininterval": 5, "delay": 5}
LOW_PRIORITY = 10  # the search comes first, and still this goes on
# Why a run is left to the next attempt, by the last word; of a failure the stage says more.
REASONS = {
    None: "the stage's process died",
    "killed": "interrupted",
    "done": "the tracking store did not take all of it",
}

Messages = queue.SimpleQueue[Message | None]


class Live:
    """The run of one search, and what of it is still to be logged."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin
        self._run_id = ""
        self._ownership: Ownership | None = None
        self._logged: set[Name] = set()
        self._pending: list[NestedRun] = []
        self._ranked: dict[Name, NestedRun] = {}
        self._finish: Finish | None = None
        self._away = False

    @property
    def has_work(self) -> bool:
        """True if something is to be logged: at first, that there is a search."""
        return not self._run_id or bool(self._pending) or self._finish is not None

    def add(self, message: Scored | Finish) -> None:
        """Take what is to be logged; ranks are known from the finish on."""
        if isinstance(message, Scored):
            self._pending.append(_record(message, self._begin.selection.score))
            return
        self._finish = message
        table, n_folds = pd.read_csv(message.cv_results), int(self._begin.params[FOLDS])
        ranked = from_results(table, self._begin.selection.score, n_folds)
        self._ranked = {record.name: record for record in ranked}

    def work(self) -> bool:
        """Log a batch of candidates, or what is left when they are all there.

        Says whether the store took it.
        """
        batch = self._pending[:BATCH]
        try:
            with open_tracking(self._begin.experiment, quiet=True) as tracking:
                self._open(tracking)
                if batch:
                    new = [self._with_rank(r) for r in batch if r.name not in self._logged]
                    self._logged |= set(log_candidates(tracking, self._run_id, new))
                elif self._finish is not None:
                    self._complete(tracking, self._finish)
                    self._finish = None
        except PipelineError as error:
            self._say_away(error)
            self._let_go()
            return False
        del self._pending[: len(batch)]
        return True

    def end(self, how: str | None) -> None:
        """Bring the run to its end; `how` is None where the stage's process died."""
        if how == "done":
            self._log_the_rest()
        try:
            with open_tracking(self._begin.experiment, quiet=True) as tracking:
                self._open(tracking)
                if how == "done" and not self.has_work:
                    tracking.client.set_terminated(self._run_id, "FINISHED")
                elif how != "failed":
                    tracking.log(self._run_id, tags={FAILURE_TAG: REASONS[how]})
                    tracking.end(self._run_id, "KILLED")
        except PipelineError as error:
            self._say_away(error)
        self._let_go()

    def _log_the_rest(self) -> None:
        """Log what is left, and say how far that is: nobody else has a word to say meanwhile."""
        left = len(self._pending)
        candidates = max(self._begin.total, left)
        with Progress(
            candidates, "logging candidates", initial=candidates - left, **LOGGING
        ) as bar:
            while self.has_work and self.work():
                bar.update(left - len(self._pending))
                left = len(self._pending)

    def _open(self, tracking: Tracking) -> None:
        """Open the search's run, or go on with one that was left unfinished."""
        if self._run_id:
            return
        begin = self._begin
        commit, changed = git_commit()
        tags = {
            KIND_TAG: SEARCH,
            KEY_TAG: begin.key,
            WORKSPACE_TAG: workspace(),
            PROCESS_TAG: begin.process,
            TOTAL_TAG: str(begin.total),
            "git.commit": commit,
            "git.changed": str(changed).lower(),
        }
        run = _leftover(tracking, begin.key) or tracking.new_run(
            run_name() or f"search {begin.key[:8]}", tags
        )
        run_id = str(run.info.run_id)
        self._ownership = Ownership(run_id)
        self._ownership.take()
        delete_unfinished(tracking, run_id)
        self._logged = set(finished(tracking, run_id))
        tracking.client.update_run(run_id, status="RUNNING")
        for name in run.data.tags.keys() & {FAILURE_TAG, FAILED_STAGE_TAG, DESCRIPTION_TAG}:
            tracking.client.delete_tag(run_id, name)
        new = {k: v for k, v in begin.params.items() if k not in run.data.params}
        tracking.log(run_id, params=new, tags=tags)
        show_search(tracking, run_id, begin.selection)
        self._run_id = run_id

    def _let_go(self) -> None:
        """Leave the run; what of it the store took is looked up when it is opened again."""
        if self._ownership is not None:
            self._ownership.give_up()
        self._run_id, self._ownership = "", None

    def _with_rank(self, record: NestedRun) -> NestedRun:
        if record.name not in self._ranked:
            return record
        return replace(record, metrics={**self._ranked[record.name].metrics, **record.metrics})

    def _complete(self, tracking: Tracking, finish: Finish) -> None:
        """Log the ranks, the winner's figures and the learning curve; `register` adds pictures."""
        curve = pd.read_csv(finish.learning_curve)
        winner = next(iter(self._ranked.values()))
        complete(tracking, self._run_id, list(self._ranked.values()))
        tracking.log(
            self._run_id,
            params=winner.params,
            metrics=winners_metrics(winner, self._begin.selection.score),
            series=learning_curve_series(curve),
            tags={CANDIDATES_TAG: sha256(Path(finish.cv_results).read_bytes()).hexdigest()},
        )

    def _say_away(self, error: PipelineError) -> None:
        if not self._away:
            self._away = True
            print(
                f"the search goes on, not tracked meanwhile: {error}; what is missing then, "
                "`register` will log",
                file=sys.stderr,
            )


def _leftover(tracking: Tracking, key: str) -> Run | None:
    """Return this workspace's unfinished run of the same search, and end those of others.

    A run whose process lives is left to it.
    """
    found: Run | None = None
    for run in tracking.search_own(f"tags.{KIND_TAG} = '{SEARCH}'"):
        if run.info.status not in ("RUNNING", "KILLED"):
            continue
        same = run.data.tags.get(KEY_TAG) == key
        owned = Ownership(run.info.run_id)
        if (run.info.status == "KILLED" and not same) or not owned.take():
            continue
        owned.give_up()
        if same and found is None:
            found = run
        elif run.info.status == "RUNNING":
            tracking.end(run.info.run_id, "KILLED")
    return found


def _record(message: Scored, score: str) -> NestedRun:
    scores = {fold_column(fold): score for fold, score in enumerate(message.scores)}
    figures = {**scores, **statistics(message.scores)}
    named = {metric_name(name, score): value for name, value in figures.items()}
    times = {"fit_time": message.fit_s, "score_time": message.score_s}
    taken_ms = int((message.fit_s + message.score_s) * 1000)
    started = int(time.time() * 1000) - taken_ms
    return NestedRun(message.candidate, {**named, **times, **message.extra}, started)


def run(messages: Messages) -> None:
    """Log what comes until the last word, or until nothing comes any more."""
    begin = messages.get()
    if not isinstance(begin, Begin):
        return
    live, retry_at = Live(begin), 0.0
    while True:
        try:
            message = messages.get(timeout=_patience(live, retry_at))
        except queue.Empty:
            if not live.work():
                retry_at = time.monotonic() + RETRY_S
            continue
        if isinstance(message, Scored | Finish):
            live.add(message)
        else:
            live.end(message.how if isinstance(message, End) else None)
            return


def _patience(live: Live, retry_at: float) -> float | None:
    """Return how long to wait for a message before logging what there is."""
    return max(0.0, retry_at - time.monotonic()) if live.has_work else None


def _read(messages: Messages) -> None:
    """Take messages from standard input as they come; None says that it is closed."""
    decoder = msgspec.json.Decoder(Message)
    for line in sys.stdin.buffer:
        messages.put(decoder.decode(line))
    messages.put(None)


def main() -> None:
    """Track what standard input tells."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(LOW_PRIORITY)
    # What the imports made stays: to look through it again and again took a third of the time.
    gc.freeze()
    gc.enable()
    messages: Messages = queue.SimpleQueue()
    threading.Thread(target=_read, args=(messages,), daemon=True).start()
    # It takes a second, in which the stage is still importing what it searches with.
    with suppress(PipelineError):
        warm_up()
    try:
        run(messages)
    except Exception as error:  # whatever it is, the search goes on
        print(
            f"the search is not tracked any more: {type(error).__name__}: {error}", file=sys.stderr
        )
    gc.freeze()


if __name__ == "__main__":
    main()
