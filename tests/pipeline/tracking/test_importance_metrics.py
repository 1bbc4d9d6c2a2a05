import pytest
from mlflow.entities import Metric
from mlflow.utils.validation import _validate_metric

from pipeline.tracking.importance_metrics import importance_metrics, logged_shares


def test_shares_are_metrics_by_their_features_and_are_read_back():
    shares = {"Glucose": 0.7, "Body mass": 0.3}
    metrics = importance_metrics(shares)
    assert metrics == {"importance/Glucose": 0.7, "importance/Body mass": 0.3}
    assert logged_shares({**metrics, "test_roc_auc": 0.8}) == shares


@pytest.mark.parametrize(
    ("feature", "name"),
    [
        ("length (mm)", "length _mm_"),
        ("a/../b", "a_.._b"),
        ("..", "_"),
        ("größe", "größe"),
        ("price:$", "price__"),
        ("x\ny", "x_y"),
        ("n" * 300, "n" * 200),
    ],
)
def test_what_mlflow_takes_in_no_name_is_replaced(feature, name):
    (found,) = importance_metrics({feature: 0.5})
    assert found == f"importance/{name}"
    metric = Metric(found, 0.5, 0, 0)
    _validate_metric(metric.key, metric.value, metric.timestamp, metric.step)


def test_names_stay_apart():
    metrics = importance_metrics({"a$": 0.5, "a%": 0.3, "a_": 0.2})
    assert metrics == {"importance/a_": 0.5, "importance/a_ 2": 0.3, "importance/a_ 3": 0.2}


def test_of_many_features_the_most_important_are_logged():
    shares = {f"f{number}": number / 100 for number in range(60)}
    assert set(logged_shares(importance_metrics(shares))) == {f"f{n}" for n in range(10, 60)}
