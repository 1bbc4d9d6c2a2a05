"""What a check finds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Area = Literal["environment", "paths", "ledger", "stages", "versions", "lineage"]
Severity = Literal["fault", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or a note; `fix` mends it where that is safe, and says how.

    `command` is what a user types, where that is not `doctor`.
    """

    area: Area
    severity: Severity
    sentence: str
    fix: Callable[[], str] | None = None
    command: str = ""
