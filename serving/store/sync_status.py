"""The status of following the registry: the follower writes it, workers read it.

<store>/sync.json
"""

import time
from enum import StrEnum
from pathlib import Path

import msgspec

from serving.files import new_file
from serving.store.versions import Version

STATUS_FILE = "sync.json"
REMEMBERED = 10  # refused versions


class Kind(StrEnum):
    """The possible outcomes of a sync."""

    UPDATED = "updated"
    UNCHANGED = "unchanged"
    NO_VERSION = "no version"
    UNREACHABLE = "registry unreachable"
    REFUSED = "refused"
    STORE_FAILED = "store failed"
    OVERDUE = "overdue"
    FAILED = "failed"


SUCCESSES = (Kind.UPDATED, Kind.UNCHANGED)


class Refusal(msgspec.Struct, frozen=True):
    """A version that must not answer: why, and what the registry claimed of it then."""

    version: str
    digest: str
    reason: str
    at: float
    claims: str


class Status(msgspec.Struct, frozen=True):
    """The last sync's outcome; times are Unix seconds, `reached_at` that of the last contact.

    `desired` is what the stage names, `refused` what was refused, the latest first.
    """

    outcome: str
    detail: str
    checked_at: float
    reached_at: float | None = None
    desired: Version | None = None
    refused: tuple[Refusal, ...] = ()

    @property
    def good(self) -> bool:
        return self.outcome in SUCCESSES

    def is_overdue(self, due: float) -> bool:
        """True if it is older than `due` seconds: its writer hangs, is gone, or cannot write."""
        return (age(self.checked_at) or 0.0) > due

    def refusal_of(self, version: str, claims: str) -> Refusal | None:
        """Find why a version was refused, if the registry claims of it what it did then."""
        latest = self.refused[0] if self.refused else None
        same = latest is not None and (latest.version, latest.claims) == (version, claims)
        return latest if same else None


def read(store: Path) -> Status | None:
    """Read the status; None where nothing was ever followed, or what stands there is no status."""
    try:
        return msgspec.json.decode((store / STATUS_FILE).read_bytes(), type=Status)
    except (OSError, ValueError):
        return None


def write(store: Path, status: Status) -> None:
    """Write the status whole. Not forced to disk: after a crash it is soon written anew.

    Raises ValueError for one that could not be read back, and leaves the last one.
    """
    content = msgspec.json.encode(status)
    msgspec.json.decode(content, type=Status)
    store.mkdir(parents=True, exist_ok=True)
    with new_file(store / STATUS_FILE, durable=False) as file:
        file.write(msgspec.json.format(content, indent=2) + b"\n")


def age(moment: float | None) -> float | None:
    return None if moment is None else max(0.0, time.time() - moment)
