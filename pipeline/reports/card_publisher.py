"""Model cards of registered versions: what they are made from, and where they are kept."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from pipeline.errors import PipelineError
from pipeline.params import CardTexts
from pipeline.registry import versions
from pipeline.registry.references import Version, find_version
from pipeline.reports.class_plots import CLASSES_FILE, read_classes
from pipeline.reports.importance_plot import IMPORTANCE_FILE
from pipeline.reports.model_card import CardFacts, body, markdown, page
from pipeline.tracking.experiment import Tracking
from serving.model.contract import Contract
from serving.model.version_files import ModelError

MARKDOWN_FILE, PAGE_FILE = "model_card.md", "model_card.html"
PLOTS = "plots"
DESCRIPTION_LENGTH = 5000  # characters that the registry's column takes (MLflow 3.17)


def facts_of(
    tracking: Tracking, version: Version, texts: CardTexts, contract: Contract | None = None
) -> tuple[CardFacts, dict[str, bytes]]:
    """Gather what a version's card tells, and its run's plots as PNG."""
    contract = contract or _contract_of(tracking, version)
    files = _artifacts(tracking, version.run_id, PLOTS)
    images = {Path(name).stem: file for name, file in files.items() if name.endswith(".png")}
    return CardFacts(version, contract, texts, **tables_of(files)), images


def tables_of(files: Mapping[str, bytes]) -> dict[str, pd.DataFrame | None]:
    """Return a card's tables; of more than two classes the calibration is the likeliest's."""
    calibration = "top_calibration.csv" if CLASSES_FILE in files else "calibration.csv"
    return {
        "calibration": _table(files.get(calibration)),
        "subgroups": _table(files.get("subgroups.csv")),
        "classes": _table(files.get(CLASSES_FILE), "class"),
        "importance": _table(files.get(IMPORTANCE_FILE), "feature"),
    }


def _contract_of(tracking: Tracking, version: Version) -> Contract:
    try:
        with versions.downloaded(tracking, version.name, version.number) as scorer:
            return scorer.contract
    except ModelError as error:
        raise PipelineError(f"{version} has no card: {error}") from error


def attach_card(
    tracking: Tracking,
    name: str,
    version: str,
    texts: CardTexts,
    contract: Contract | None = None,
) -> bool:
    """Keep the card with the version's run and describe the version by it; say whether it changed.

    Where the version's contract is at hand it need not be downloaded for it.

    What is there already with the same content is not written again. A description that a person
    wrote is left.
    """
    found = find_version(tracking, name, version)
    facts, images = facts_of(tracking, found, texts, contract)
    cards = {MARKDOWN_FILE: markdown(facts), PAGE_FILE: page(facts, images)}
    there = _artifacts(tracking, found.run_id, *cards)
    changed = {file: text for file, text in cards.items() if there.get(file) != text.encode()}
    for file, text in changed.items():
        tracking.client.log_text(found.run_id, text, file)
    return _describe(tracking, facts) or bool(changed)


def shortened_card(text: str, run_id: str) -> str:
    """Cut a card after the last section that the description has room for, and say so."""
    note = (
        f"\n\n*Shortened: the whole card is {MARKDOWN_FILE} among the artifacts of run {run_id}.*"
    )
    if len(text) <= DESCRIPTION_LENGTH:
        return text
    head = text[: DESCRIPTION_LENGTH - len(note)]
    end = head.rfind("\n## ")
    return head[: end if end > 0 else head.rfind(" ")].rstrip() + note


def _describe(tracking: Tracking, facts: CardFacts) -> bool:
    version = facts.version
    now = tracking.client.get_model_version(version.name, version.number).description or ""
    wanted = shortened_card(body(facts), version.run_id)
    if now == wanted or (now and not now.startswith(f"# {facts.title}\n")):
        return False
    tracking.client.update_model_version(version.name, version.number, wanted)
    return True


def _artifacts(tracking: Tracking, run_id: str, *paths: str) -> dict[str, bytes]:
    """Return the contents, by their names, of a run's files; of a folder those in it."""
    there = {entry.path for entry in tracking.client.list_artifacts(run_id)}
    found: dict[str, bytes] = {}
    with TemporaryDirectory() as folder:
        for path in there.intersection(paths):
            local = Path(tracking.client.download_artifacts(run_id, path, folder))
            files = sorted(local.iterdir()) if local.is_dir() else [local]
            found |= {file.name: file.read_bytes() for file in files}
    return found


def _table(content: bytes | None, *of_classes: str) -> pd.DataFrame | None:
    """Read a table; the columns `of_classes` name classes, or features: texts."""
    if content is None:
        return None
    return (
        read_classes(BytesIO(content), *of_classes) if of_classes else pd.read_csv(BytesIO(content))
    )
