from datetime import date, timedelta

import numpy as np
import pytest

from pipeline.export.onnx_model import export
from pipeline.export.parity import check_parity
from pipeline.search.units import Candidate
from pipeline.training.estimator import build_estimator, date_parts
from serving.model.contract import Contract, Feature, FloatMatrix
from serving.model.scorer import Scorer
from tests.pipeline.conftest import SIGMOIDS

PARTS = ("year", "month", "weekday", "days")
DAY = Feature(
    name="day",
    type="date",
    date_format="%Y-%m-%d",
    parts=PARTS,
    nullable=True,
    training_range=(-200_000, 700_000),
)
MONTH = Feature(
    name="month", type="date", date_format="%b-%y", parts=("month",), training_range=(9000, 20_000)
)
RNG = np.random.default_rng(0)
X = np.column_stack(
    [RNG.integers(-200_000, 700_000, 2000), RNG.normal(size=2000), RNG.integers(9000, 20_000, 2000)]
).astype(float)
X[:4, 0] = [11_016, 11_017, -25_509, np.nan]  # 2000-02-29 and after it, 1900-02-28


def test_parts_are_those_of_the_calendar() -> None:
    for days, row in zip(X[:, 0], date_parts(X[:, [0]], [PARTS]).tolist(), strict=True):
        if np.isnan(days):
            assert np.isnan(row).all()
            continue
        day = date(1970, 1, 1) + timedelta(days=days)
        assert row == [day.year, day.month, day.weekday(), days]


@pytest.mark.parametrize(
    ("features", "rows"),
    [((DAY, Feature(name="n"), MONTH), X), ((DAY,), X[:, :1])],
    ids=["with numbers", "alone"],
)
def test_graph_takes_the_parts_that_scikit_learn_takes(
    features: tuple[Feature, ...], rows: FloatMatrix
) -> None:
    contract = Contract(target="y", classes=(0, 1), threshold=0.5, features=features)
    y = (np.nan_to_num(rows[:300, 0]) % 365 > 180).astype(np.int64)
    estimator = build_estimator(contract, Candidate(1, 0.1), SIGMOIDS).fit(rows[:300], y)
    contract_json = contract.to_json()
    scorer = Scorer.open(export(estimator, contract, contract_json), contract_json)
    assert check_parity(estimator, scorer, rows) < 1e-9
