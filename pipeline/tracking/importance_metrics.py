"""What a model goes by, as metrics of a run: each feature's share of the importance.

Shares, since the importances themselves are log-odds, whose scale differs from model to model.
"""

import re
from collections.abc import Container, Mapping
from itertools import chain, count

PREFIX = "importance/"  # MLflow's UI draws what has one as a section of its own
MOST = 50  # features: thousands of metrics would bury the others
LENGTH = 200  # of the 250 characters that a metric's name may have
NO_NAME = re.compile(r"[^\w\-. ]|^\.+$")  # what MLflow takes in no name, and names of paths


def importance_metrics(shares: Mapping[str, float]) -> dict[str, float]:
    """Return the largest shares by names that MLflow takes, other characters as `_`."""
    found: dict[str, float] = {}
    for feature, share in sorted(shares.items(), key=lambda each: -each[1])[:MOST]:
        found[_free_name(feature, found)] = share
    return found


def logged_shares(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the shares among a run's metrics, by the features' names as they were logged."""
    return {
        name.removeprefix(PREFIX): share
        for name, share in metrics.items()
        if name.startswith(PREFIX)
    }


def _free_name(feature: str, taken: Container[str]) -> str:
    name = f"{PREFIX}{NO_NAME.sub('_', feature[:LENGTH])}"
    numbered = chain([name], (f"{name} {number}" for number in count(2)))
    return next(each for each in numbered if each not in taken)
