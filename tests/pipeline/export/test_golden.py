"""Golden predictions spread over what a model answers, and include a row of all missing."""

import numpy as np
import pytest

from pipeline.export.golden import GOLDEN_ROWS, golden_predictions
from pipeline.export.onnx_model import export
from serving.model.rows import to_matrix
from serving.model.scorer import Scorer


@pytest.mark.parametrize("rows", [150, 3])
@pytest.mark.parametrize("name", ["small_model", "mixed_model"])
def test_golden_predictions(request, name, rows):
    model = request.getfixturevalue(name)
    text = model.contract.to_json()
    scorer = Scorer.open(export(model.estimator, model.contract, text), text)
    X = model.X[:rows]
    golden = golden_predictions(scorer, X)
    assert len(golden.rows) == len(golden.predictions) == min(GOLDEN_ROWS, rows + 1)
    nullable = {f.name for f in model.contract.features if f.nullable}
    assert {name for name, value in golden.rows[-1].items() if value is None} >= nullable
    told = [prediction.probability for prediction in golden.predictions]
    assert told == scorer.score(to_matrix(model.contract, golden.rows))[1].tolist()
    assert told[:-1] == sorted(told[:-1])
    ours = scorer.score(X)[1]
    assert (told[0], told[-2]) == (np.min(ours), np.max(ours))
