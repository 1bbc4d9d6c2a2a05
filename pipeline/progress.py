"""Progress of long work on stderr: a bar on a terminal, a line now and then in a log."""

import sys
from typing import Any

from tqdm import tqdm

LOG_LINES: dict[str, Any] = {  # of tqdm, without a terminal
    "mininterval": 10,
    "delay": 10,
    "bar_format": "{desc}: {percentage:.0f}%{postfix}{left}\n",
}
BAR: dict[str, Any] = {  # of tqdm, on a terminal
    "bar_format": "{desc}: {percentage:3.0f}%|{bar}| {elapsed}{left}{postfix}"
}
TOO_EARLY = 0.05  # of the work; before, the time left is a guess


class Progress(tqdm):  # type: ignore[type-arg]
    """A progress bar that tells the time left once it can be known."""

    def __init__(self, total: float, description: str, **more: Any) -> None:
        how = BAR if sys.stderr.isatty() else LOG_LINES
        super().__init__(total=total, desc=description, **{**how, **more})

    @property
    def format_dict(self) -> dict[str, Any]:
        facts = dict(super().format_dict)
        known = facts["n"] - facts["initial"] >= TOO_EARLY * (facts["total"] or 0)
        left = ", {remaining} left" if known else ""
        return {**facts, "bar_format": facts["bar_format"].replace("{left}", left)}
