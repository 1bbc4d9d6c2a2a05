"""What `grid_search` writes of the baseline beside its model, and `evaluate` reads."""

from collections.abc import Sequence

import msgspec

FACTS_FILE = "baseline.json"


class BaselineFacts(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True
):
    """The inverse penalty of logistic regression, and what its training rows are of.

    That is the share of positives, or the share of each class if there are more than two.
    """

    C: float
    positive_share: float | None = None
    class_shares: tuple[float, ...] = ()
    onnx_difference: float

    @property
    def base_rate(self) -> Sequence[float]:
        """The share of positives alone, or of each of more than two classes."""
        return self.class_shares if self.positive_share is None else (self.positive_share,)
