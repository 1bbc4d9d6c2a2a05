"""A service that runs on a small model with a contract of the test's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import msgspec

from serving import store
from serving.contract import Contract, Feature
from serving.scorer import Prediction
from serving.store import Version
from tests.running import service
from tests.serving.small_model import NAME, ROWS, THRESHOLD, expected_probability, graph

SMOKER = "Smoker/ever"
# Names, texts and classes as they should not be, but may.
CONTRACT = Contract(
    target="Disease",
    classes=("no", "<i>yes</i>"),
    threshold=THRESHOLD,
    features=(
        Feature(
            name="Glucose",
            unit="mg/dL",
            description="Plasma <b>glucose</b>",
            nullable=True,
            missing_values=(0,),
            minimum=20,
            maximum=1000,
            training_range=(44, 199),
        ),
        Feature(name="Age", type="integer", minimum=18, maximum=120, training_range=(21, 81)),
        Feature(name=SMOKER, type="boolean"),
    ),
)


def keep(contract: Contract, folder: Path) -> Path:
    """Put the small model with this contract of three features into a store, and give that."""
    made = folder / "made"
    made.mkdir()
    text = contract.to_json()
    model = graph(sha256(text).hexdigest()).SerializeToString()
    rows = [dict(zip(contract.names, row.values(), strict=True)) for row in ROWS]
    probabilities = [expected_probability(row) for row in ROWS]
    predictions = [Prediction(int(p >= THRESHOLD), p) for p in probabilities]
    (made / "model.onnx").write_bytes(model)
    (made / "contract.json").write_bytes(text)
    golden = {"rows": rows, "predictions": predictions}
    (made / "golden.json").write_bytes(msgspec.json.encode(golden))
    version = Version(NAME, "1", "production", sha256(model).hexdigest())
    store.adopt(folder / "store", made, version)
    store.switch(folder / "store", version)
    return folder / "store"


@contextmanager
def running(folder: Path, **variables: str) -> Iterator[str]:
    """Run the service in a folder until the block ends; gives its URL."""
    with service(folder, **variables) as found:
        yield found.url
