"""Advice on what is out of step and what to type: an overview and findings in, sentences out."""

from collections.abc import Iterable, Iterator

import msgspec

from pipeline.health.finding import Finding
from pipeline.health.overview import Overview, ServiceLine, VersionLine
from pipeline.promotion.transitions import PRODUCTION

REPRODUCE = "dvc repro"
PULL = "dvc pull"
DOCTOR = "python -m pipeline doctor"
GO_BACK = "python -m pipeline rollback"


class Advice(msgspec.Struct, frozen=True):
    """Something that is out of step, and what to type."""

    what: str
    type: str


def advice(found: Overview, findings: Iterable[Finding]) -> Iterator[Advice]:
    """Return what is out of step, nearest to the data first; `findings` are the quick checks'."""
    if found.can_pull:
        yield Advice("files of the last result are missing, as in a fresh clone", PULL)
    if found.changed:
        yield Advice(f"{', '.join(found.changed)} would run again", REPRODUCE)
    if found.last_run is None:
        yield Advice("there is no result yet", REPRODUCE)
    failure, result = found.last_failure, found.last_run
    if failure and (result is None or failure.started > result.started):
        yield Advice(f"the last run failed in {failure.failure}", REPRODUCE)
    for finding in findings:
        cure = f"{DOCTOR} --fix" if finding.fix else DOCTOR
        yield Advice(finding.sentence, finding.command or cure)
    yield from _of_versions(found)
    if found.service:
        yield from _of_service(found, found.service)


def _of_versions(found: Overview) -> Iterator[Advice]:
    now = next((v for v in found.versions if PRODUCTION in v.stages), None)
    if found.versions and now is None:
        newest_version = found.versions[-1].version
        yield Advice(
            "no version is in production",
            f"python -m pipeline promote {newest_version} --to production",
        )
    if now and now.gates != "passed":
        says = f"its gates say: {now.gates}" if now.digest else "`dvc repro` did not register it"
        yield Advice(f"version {now.version} is in production, and {says}", _way_out(found, now))
    last = found.last_run.digest if found.last_run else ""
    newest = next((v.version for v in found.versions if last and v.digest == last), None)
    if now and now.digest and newest and last != now.digest:
        yield Advice(
            f"the last result is version {newest}, production is version {now.version}",
            f"python -m pipeline compare {newest} production",
        )


def _way_out(found: Overview, now: VersionLine) -> str:
    """Return how another version comes into production."""
    if found.can_go_back:
        return GO_BACK
    others = [v.version for v in found.versions if v.digest and v.version != now.version]
    return f"python -m pipeline promote {others[-1]} --to production" if others else REPRODUCE


def _of_service(found: Overview, service: ServiceLine) -> Iterator[Advice]:
    wanted = next((v for v in found.versions if PRODUCTION in v.stages), None)
    if service.problem:
        yield Advice(f"the service at {service.url}: {service.problem}", "python -m serving")
    elif service.refused:
        what = f"the service refuses what the stage names: {service.refused}"
        yield Advice(what, _way_out(found, wanted) if wanted else GO_BACK)
    elif wanted and service.digest != wanted.digest:
        answers = f"version {service.version}" if service.version else "no version"
        yield Advice(
            f"the service answers with {answers}, production is version {wanted.version}",
            "kill -HUP <the service's process>, or wait for its next look",
        )
