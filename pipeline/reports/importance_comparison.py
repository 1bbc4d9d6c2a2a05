"""What two models go by, side by side: each feature's share of the importance."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from pipeline.evaluation.importance import format_share, shares_of, suspected_leak

SHOWN = 0.05  # the share from which a feature is shown, in either
DIFFERS = "differs"


class Share(NamedTuple):
    """A feature's share of a model's importance, with its interval."""

    share: float
    share_low: float
    share_high: float


class SharePair(NamedTuple):
    """A feature's shares in two models; None where a model lacks it, or cannot be explained."""

    a: Share | None
    b: Share | None

    @property
    def difference(self) -> float | None:
        return self.a.share - self.b.share if self.a and self.b else None

    @property
    def differs(self) -> bool:
        """True if the intervals do not overlap."""
        if not (self.a and self.b):
            return False
        return self.a.share_low > self.b.share_high or self.b.share_low > self.a.share_high

    @property
    def larger(self) -> float:
        return max(each.share for each in self if each)


def pair_shares(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, SharePair]:
    """Return each feature's shares in two tables of importances, the largest first."""
    of_a, of_b = _by_feature(a), _by_feature(b)
    pairs = {name: SharePair(of_a.get(name), of_b.get(name)) for name in {**of_a, **of_b}}
    return dict(sorted(pairs.items(), key=lambda each: -each[1].larger))


def as_data(pairs: Mapping[str, SharePair]) -> dict[str, dict[str, Any]]:
    return {
        feature: {
            "a": pair.a and pair.a._asdict(),
            "b": pair.b and pair.b._asdict(),
            "difference": pair.difference,
            "differs": pair.differs,
        }
        for feature, pair in pairs.items()
    }


def as_rows(pairs: Mapping[str, SharePair]) -> dict[str, tuple[str, ...]]:
    """Return the cells of each feature with a share worth showing; differences are in percent."""
    return {
        feature: (
            *("-" if each is None else format_share(each._asdict()) for each in pair),
            "" if pair.difference is None else f"{pair.difference:+.1%}",
            DIFFERS if pair.differs else "",
        )
        for feature, pair in pairs.items()
        if pair.larger >= SHOWN
    }


def warnings(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """Return what to say of the importances of models, by their titles."""
    for title, table in tables.items():
        if table.empty:
            yield f"what {title} goes by is not known: it was registered without explanations"
        elif suspicion := suspected_leak(shares_of(table)):
            yield f"in {title} {suspicion}"


def _by_feature(table: pd.DataFrame) -> dict[str, Share]:
    figures = table[list(Share._fields)].itertuples(index=False, name=None)
    return {feature: Share(*row) for feature, row in zip(table["feature"], figures, strict=True)}
