"""Tags of a version that say which of its table's rows it was tested on."""

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from pipeline.data.split import SplitRule

DATA_TAG = "data.digest"  # DVC's md5 of the table
SPLIT_TAG = "data.split"  # the rule that split it, as JSON
TEST_FILE_TAG = "data.test_file.digest"  # of a version whose test rows are a file of their own

LONGEST = 5000  # characters that every MLflow's tags hold


def split_tag(rule: SplitRule) -> str:
    """Return a rule as JSON; columns that are too many for a tag as their count and digest."""
    text = msgspec.json.encode(rule).decode()
    if len(text) <= LONGEST:
        return text
    columns = {"count": len(rule.columns), "sha256": _digest(rule.columns)}
    return msgspec.json.encode({**msgspec.to_builtins(rule), "columns": columns}).decode()


def read_split_tag(text: str, columns: Iterable[str] = ()) -> SplitRule | None:
    """Return the rule of a tag, None where it has none, or only the digest of its columns.

    `columns` are those that the digest is perhaps of.
    """
    try:
        rule = msgspec.json.decode(text or "{}", type=dict[str, object])
        known = [*columns]
        if isinstance(rule.get("columns"), dict):
            if rule["columns"] != {"count": len(known), "sha256": _digest(known)}:
                return None
            rule["columns"] = known
        return msgspec.convert(rule, SplitRule)
    except msgspec.MsgspecError:
        return None


def _digest(columns: Iterable[str]) -> str:
    return sha256(msgspec.json.encode([*columns])).hexdigest()
