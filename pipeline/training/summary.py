"""Sentences on the outcome of a search, for the person who started it."""

from collections.abc import Sequence

from pipeline.evaluation.metrics import SCORE_NAMES
from pipeline.search.grid import candidate_of
from pipeline.search.widening import Edge, edges_of
from pipeline.training.tuning import Outcome, Search


def outcome_sentence(search: Search, outcome: Outcome) -> str:
    """Return which candidate won, by what, and among how many that score alike."""
    how, winner, first = search.selection, outcome.winner, outcome.table.iloc[0]
    score = f"{how.rank_by} {SCORE_NAMES[how.score]} {first[f'{how.rank_by}_test_score']:.4f}"
    weighted = ", balanced class weights" * (winner.class_weight == "balanced")
    repeats = f"{search.repeats} repeats of " * (search.repeats > 1)
    text = (
        f"best of {len(outcome.table)}: C {winner.C:g}, gamma {winner.gamma:g}{weighted}, {score} "
        f"over {repeats}{search.settings.folds} folds"
    )
    if "log_loss" in first:
        alike = int(outcome.table["log_loss"].notna().sum())
        text += (
            f", log loss {first['log_loss']:.4f}, the lowest of {alike} within one standard error"
        )
    return text


def edge_sentences(outcome: Outcome) -> list[str]:
    """Return on which edges of the grid the winner stands, and what to set to look further."""
    candidates = [candidate_of(row) for row in outcome.table.to_dict("records")]
    return [
        f"the winner has the {edge.end} {edge.axis} of the grid, {edge.value:g}: to look further, "
        f"set grid_search.{edge.axis} to {_wider(edge, candidates)} in params.yaml"
        for edge in edges_of(outcome.winner, candidates)
        if not edge.is_last
    ]


def _wider(edge: Edge, candidates: Sequence[object]) -> str:
    values = sorted({getattr(one, edge.axis) for one in candidates})
    low, high = values[0], values[-1]
    if edge.end == "lowest":
        return f"[{edge.next_value:.6g}, {high:.6g}]"
    return f"[{low:.6g}, {edge.next_value:.6g}]"
