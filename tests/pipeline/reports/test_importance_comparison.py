import pandas as pd
import pytest

from pipeline.evaluation.importance import no_importance
from pipeline.reports.importance_comparison import as_data, as_rows, pair_shares, warnings


def table(**shares):
    """Give a table of importances by each feature's share, with an interval of ± 0.02."""
    rows = [
        {"feature": name, "share": share, "share_low": share - 0.02, "share_high": share + 0.02}
        for name, share in shares.items()
    ]
    return pd.DataFrame(rows)


def test_shares_stand_side_by_side_the_largest_of_either_first():
    pairs = pair_shares(table(a=0.5, b=0.3, c=0.2), table(a=0.35, b=0.05, c=0.6))
    assert list(pairs) == ["c", "a", "b"]
    assert as_rows(pairs)["a"] == (
        "50.0% (48.0% to 52.0%)",
        "35.0% (33.0% to 37.0%)",
        "+15.0%",
        "differs",
    )


@pytest.mark.parametrize(("of_b", "differs"), [(0.455, True), (0.465, False), (0.545, True)])
def test_shares_differ_whose_intervals_do_not_overlap(of_b, differs):
    (pair,) = pair_shares(table(a=0.5), table(a=of_b)).values()
    assert pair.differs == differs


def test_a_feature_with_a_small_share_in_both_is_in_the_data_alone():
    pairs = pair_shares(table(a=0.9, b=0.049, c=0.04), table(a=0.9, b=0.02, c=0.06))
    assert list(as_rows(pairs)) == ["a", "c"]
    assert list(as_data(pairs)) == ["a", "c", "b"]
    assert as_data(pairs)["b"] == {
        "a": {"share": 0.049, "share_low": 0.049 - 0.02, "share_high": 0.049 + 0.02},
        "b": {"share": 0.02, "share_low": 0.0, "share_high": 0.04},
        "difference": 0.049 - 0.02,
        "differs": False,
    }


def test_a_feature_that_one_lacks_is_neither_equal_nor_different():
    pairs = pair_shares(table(a=0.5, b=0.5), table(a=1.0))
    assert as_rows(pairs)["b"] == ("50.0% (48.0% to 52.0%)", "-", "", "")
    assert as_data(pairs)["b"]["b"] is None


def test_of_a_model_that_cannot_be_explained_that_is_said():
    one = table(a=0.5, b=0.3, c=0.1, d=0.1)
    assert as_rows(pair_shares(one, no_importance()))["a"] == (
        "50.0% (48.0% to 52.0%)",
        "-",
        "",
        "",
    )
    assert as_rows(pair_shares(no_importance(), no_importance())) == {}
    assert list(warnings({"A (version 2)": one, "B (version 1)": no_importance()})) == [
        "what B (version 1) goes by is not known: it was registered without explanations"
    ]


def test_a_leak_s_usual_face_is_told_of_either():
    leak = table(a=0.7, b=0.1, c=0.1, d=0.1)
    said = list(warnings({"A (version 2)": table(a=0.4, b=0.3, c=0.2, d=0.1), "B": leak}))
    assert said == [
        "in B `a` carries 70% of the importance: check that its value is known before the outcome "
        "is"
    ]
