"""What keeps a result out of a stage while no person decides: the settings, and what came later.

The order of events is that of the ledger's entries and of the versions' numbers: no two machines'
clocks are compared.
"""

from typing import NamedTuple

from pipeline.lineage.git import Checkout
from pipeline.params import PromoteFrom, Register
from pipeline.promotion.transitions import PRODUCTION
from pipeline.registry.ledger import AUTOMATIC, Entry, Ledger

SWITCHED_OFF = "register.auto_promote is off in params.yaml"


class Contender(NamedTuple):
    """A result that wants a stage, and how it came about.

    `experiment` is the DVC experiment's name, empty for `dvc repro`; `new` is true if this very
    run registered the version.
    """

    version: str
    digest: str
    experiment: str
    new: bool
    checkout: Checkout


def why_not(ledger: Ledger, stage: str, contender: Contender, settings: Register) -> str:
    """Return why a result does not take a stage by itself, empty if it may by its gates."""
    decide = f"`python -m pipeline promote {contender.version} --to {stage}` decides"
    in_production = ledger.version_in(PRODUCTION)
    if stage == PRODUCTION and settings.promotes == "never":
        return SWITCHED_OFF
    if contender.experiment and settings.promotes != "always" and in_production is not None:
        return f"an experiment moves no stage; {decide}"
    if stage == PRODUCTION and (bar := barred(settings.promote_from, contender.checkout)):
        return f"{bar}; {decide}"
    later = later_move(ledger, stage, contender)
    return f"{_describe(later, contender.version)}; {decide}" if later else ""


def barred(wanted: PromoteFrom | None, found: Checkout) -> str:
    """Return what register.promote_from misses of a checkout, empty if nothing."""
    if wanted is None or found.ci:
        return ""
    if found.branch != wanted.branch:
        here = f"branch {found.branch}" if found.branch else "no branch"
        return f"register.promote_from is branch {wanted.branch}, and this is {here}"
    if wanted.clean and found.changed:
        return "register.promote_from wants a clean checkout, and tracked files differ from HEAD"
    return ""


def later_move(ledger: Ledger, stage: str, contender: Contender) -> Entry | None:
    """Return the move that a result does not undo by itself, None if there is none.

    It came later than the result, or went back from it. A stage that was moved outside counts as
    moved when a command last put that version there.
    """
    version, now = contender.version, ledger.version_in(stage)
    if version in (left := ledger.rolled_back(stage)):
        return left[version]
    if now in (None, version):
        return None
    arrival = ledger.arrival(stage, str(now))
    if int(version) < int(str(now)):
        return arrival or ledger.last_move(stage)
    return arrival if arrival and _was_there_before(ledger, arrival, contender) else None


def _was_there_before(ledger: Ledger, move: Entry, contender: Contender) -> bool:
    """True if a result was registered before a move.

    One that was deleted and registered again, as another version, is the same one. Of two runs of
    the pipeline at once, each with a new version, the newer version wins.
    """
    version, digest = contender.version, contender.digest
    before = [entry for entry in ledger.entries if entry.number < move.number]
    if any(entry.digest == digest and entry.target != version for entry in before):
        return True
    if contender.new and move.command == AUTOMATIC:
        return False
    return int(version) <= move.newest or any(entry.target == version for entry in before)


def _describe(move: Entry, version: str) -> str:
    when = f"{move.time:%Y-%m-%d %H:%M}"
    if move.outcome != "moved":
        return f"version {move.target} came later ({when}, outside this tool)"
    if move.command == AUTOMATIC:
        return f"version {move.target} came later ({move.actor}, {when})"
    because = f" ({move.reason})" if move.reason else ""
    back = f", back from version {version}" if move.source == version else ""
    return (
        f"{move.actor} decided for version {move.target}{back} on {when} "
        f"by `{move.command}`{because}"
    )
