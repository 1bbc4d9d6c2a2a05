import pytest

from pipeline.registry.versions import signature
from serving.model.contract import Contract, Feature


@pytest.mark.parametrize(
    ("classes", "outputs"),
    [
        ((0, 1), ["label", "probability"]),
        (("a", "b", "c"), ["label", "probability_0", "probability_1", "probability_2"]),
    ],
)
def test_the_signature_has_the_graphs_outputs(classes, outputs):
    contract = Contract(target="y", classes=classes, features=(Feature(name="f"),))
    assert signature(contract).outputs.input_names() == outputs
