"""What `grid_search` writes of the baseline beside its model, and `evaluate` reads."""

import msgspec

FACTS_FILE = "baseline.json"


class BaselineFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The inverse penalty of logistic regression, and the share of positives in its rows."""

    C: float
    positive_share: float
    onnx_difference: float
