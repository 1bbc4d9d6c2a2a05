"""A service that runs on a small model with a contract of the test's own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from serving.model.contract import Contract
from serving.store import versions
from serving.store.versions import Version
from tests.running import service
from tests.serving import small_model
from tests.serving.small_model import NAME, SMOKING, SPECIES, with_features, write, write_species

WriteModel = Callable[[Path, Contract], str]

SMOKER = "Smoker/ever"
# Names, texts and classes as they should not be, but may.
CONTRACT = msgspec.structs.replace(
    with_features({"description": "Plasma <b>glucose</b>"}, {}, {"name": SMOKER}),
    classes=("no", "<i>yes</i>"),
)
# One category takes its own texts alone, of which there are many; the other takes any.
NO_LIMITS = {"minimum": None, "maximum": None, "training_range": None}
CATEGORIES = with_features(
    {},
    {"type": "category", "categories": tuple(f"{age}, or so" for age in range(121)), **NO_LIMITS},
    {**SMOKING, "unseen": "missing"},
)
CLASSES = msgspec.structs.replace(
    SPECIES, classes=("<b>Adelie</b>", 10, 9), class_names=("small", "of Antarctica", "tall")
)
CONTRACTS = {"numbers": CONTRACT, "categories": CATEGORIES}
EXPLAINED = {"two classes": small_model.CONTRACT, "three classes": SPECIES}


def keep(contract: Contract, folder: Path, write_model: WriteModel | None = None) -> Path:
    """Put the small model with this contract of three features into a store, and give that.

    `write_model` makes another model of these features.
    """
    if write_model is None:
        write_model = write if contract.is_binary else write_species
    version = Version(NAME, "1", "production", write_model(folder / "made", contract))
    versions.adopt(folder / "store", folder / "made", version)
    versions.switch(folder / "store", version)
    return folder / "store"


@contextmanager
def running(folder: Path, **variables: str) -> Iterator[str]:
    """Run the service in a folder until the block ends; gives its URL."""
    with service(folder, **variables) as found:
        yield found.url
