"""Explanations of a file's rows: in small pieces, each checked against the answers.

To explain a row takes a thousand times as long as to answer it. So chunks are cut into pieces of
about a second, which show how far a run has come, end soon where it is stopped, and spread over
the cores.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from timeit import repeat
from typing import NamedTuple

import numpy as np

from serving.batch.chunk_scoring import Answered, Part, has_answer
from serving.batch.table import CHUNK_CELLS, Chunk, ScoringError
from serving.model.contract import Contract, FloatMatrix
from serving.model.explained_class import take_class
from serving.model.explanation import Explainer, Explanation

PIECE = 300_000_000  # products of kernels
TRIALS = 3  # the first of them is slow


class Explaining(NamedTuple):
    """How a run explains its answers, and the class that it explains; see `default_place`."""

    explainer: Explainer
    contract: Contract
    place: int | None = None

    def pieces(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """Cut chunks into pieces that take about a second each."""
        sums = 1 if self.contract.is_binary else len(self.contract.classes)
        at_once = self.explainer.rows_for(self.explainer.background, PIECE)
        most = CHUNK_CELLS // (sums * len(self.contract.features))
        return cut(chunks, max(1, min(at_once, most)))

    def explain(self, values: FloatMatrix, probabilities: FloatMatrix) -> Explanation | None:
        """Explain the rows that have an answer; None where none has."""
        kept = values[has_answer(probabilities)]
        return self.explainer.explain(kept) if len(kept) else None

    def add(self, answered: Answered, explanation: Explanation | None) -> Answered:
        """Put explanations beside the answers; raises ScoringError where they are of others."""
        if explanation is None:
            empty = np.empty((1 + len(self.contract.features), 0))
            return answered._replace(explanations=empty)
        if reason := self.explainer.disagreement(explanation, answered.probabilities):
            raise ScoringError(
                f"What explains this version does not make up its answers ({reason}): score "
                "without --explain, or promote another version."
            )
        labels, two = answered.labels.tolist(), self.contract.is_binary
        parts = take_class(explanation, labels, self.place, two=two)
        return answered._replace(explanations=parts.columns)

    def seconds_a_row(self) -> float:
        """Measure how long one core takes for a row."""
        row = np.zeros((1, len(self.contract.features)))
        return min(repeat(partial(self.explainer.explain, row), number=1, repeat=TRIALS))


def cut(chunks: Iterable[Chunk], rows: int) -> Iterator[Chunk]:
    """Cut chunks into some of at most so many rows."""
    before = 0.0
    for chunk in chunks:
        part = chunk.parse()
        all_rows = part.rows.num_rows
        for start in range(0, max(1, all_rows), rows):
            stop = min(all_rows, start + rows)
            done = stop / all_rows if all_rows else 1.0
            yield Chunk(partial(_slice, part, start, stop), before + (chunk.share - before) * done)
        before = chunk.share


def _slice(part: Part, start: int, stop: int) -> Part:
    faults = {place - start: why for place, why in part.faults.items() if start <= place < stop}
    return Part(part.rows.slice(start, stop - start), faults)
