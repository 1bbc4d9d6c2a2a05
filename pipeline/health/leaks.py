"""Look for a leak's usual face in what the version in production goes by."""

from collections.abc import Iterator

from pipeline.evaluation.importance import suspected_leak
from pipeline.health.finding import Finding
from pipeline.promotion.transitions import PRODUCTION
from pipeline.registry import stages, versions
from pipeline.tracking.experiment import Tracking
from pipeline.tracking.importance_metrics import logged_shares


def leak_in_production(tracking: Tracking, name: str) -> Iterator[Finding]:
    """Find one feature that carries most, by the metrics of the version's run: no download."""
    number = stages.number_at(tracking, name, PRODUCTION)
    if number is None:
        return
    metrics = versions.facts_of(tracking, name, number).metrics
    if suspicion := suspected_leak(logged_shares(metrics)):
        sentence = f"in version {number}, which is in production, {suspicion}"
        yield Finding("versions", "note", sentence)
