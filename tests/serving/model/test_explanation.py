"""A version's explanation file: what is taken, what is refused, and how it is held to answers."""

import msgspec
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from serving.model import explanation as names
from serving.model.explanation import Explainer, to_probabilities
from serving.model.runs import OverdueError
from serving.model.scorer import Scorer
from serving.model.version_files import EXPLANATION_DIGEST_KEY, ModelError, digest_of
from tests.serving.explained_model import BACKGROUND, svm_files, write_svm
from tests.serving.small_model import CONTRACT, SPECIES, write

ROWS = np.array([[148.0, 50, 1], [85, 31, 0], [np.nan, 22, 1], [0, 22, 1], [1e300, 60, 0]])


@pytest.fixture(params=[CONTRACT, SPECIES], ids=["two classes", "three classes"])
def contract(request):
    return request.param


@pytest.fixture
def files(contract):
    return dict(svm_files(contract))


@pytest.fixture
def scorer(files):
    return Scorer.open(files["model.onnx"], files["contract.json"], files["explanation.onnx"])


def changed(content, name, change):
    """Change one of the graph's constants."""
    model = onnx.load_from_string(content)
    for place, constant in enumerate(model.graph.initializer):
        if constant.name == name:
            new = numpy_helper.from_array(change(numpy_helper.to_array(constant)), name)
            model.graph.initializer[place].CopyFrom(new)
    return model.SerializeToString()


def with_explanation(files, content, folder):
    """Write a version whose model names this very explanation."""
    model = onnx.load_from_string(files["model.onnx"])
    for entry in model.metadata_props:
        if entry.key == EXPLANATION_DIGEST_KEY:
            entry.value = digest_of(content)
    folder.mkdir()
    new = {**files, "model.onnx": model.SerializeToString(), "explanation.onnx": content}
    for name, each in new.items():
        (folder / name).write_bytes(each)
    return folder


def test_parts_make_up_the_answers(scorer):
    found = scorer.explainer.explain(ROWS)
    probabilities = scorer.score(ROWS)[1]
    assert found.background == BACKGROUND
    assert to_probabilities(found.log_odds) == pytest.approx(probabilities, rel=0, abs=1e-13)
    assert scorer.explainer.disagreement(found, probabilities) == ""


def test_missing_values_are_as_if_the_median_was_given(scorer):
    missing, also_missing = scorer.explainer.explain(ROWS[2:4]).contributions
    assert np.array_equal(missing, also_missing)


def test_a_smaller_background_is_the_beginning_of_the_whole(scorer):
    few = scorer.explainer.explain(ROWS, 7)
    assert few.background == 7
    whole = scorer.explainer.explain(ROWS)
    assert not np.allclose(few.base, whole.base)
    assert few.log_odds == pytest.approx(whole.log_odds, rel=1e-12)


def test_a_disagreement_is_told(scorer):
    found = scorer.explainer.explain(ROWS)
    answered = scorer.score(ROWS)[1].copy()
    answered[1] += 2e-9
    told = scorer.explainer.disagreement(found, answered)
    assert told == "contributions add up to a probability that is off by 2e-09"
    assert scorer.explainer.disagreement(found, answered * np.nan)


def test_what_is_affordable_follows_from_the_products(scorer):
    explainer = scorer.explainer
    of_one = explainer._products
    assert explainer.background_for(4, 4 * 10 * of_one) == 10
    assert explainer.background_for(4, 4 * of_one - 1) == 0
    assert explainer.background_for(1, 10**12) == BACKGROUND
    assert explainer.rows_for(10, 45 * of_one) == 4


def test_it_ends_in_time(scorer):
    with pytest.raises(OverdueError):
        scorer.explainer.explain(ROWS, until=0.0)


@pytest.mark.parametrize("sign", [1, -1])
def test_probabilities_are_those_of_the_largest_log_odds_as_well(sign):
    of_two = to_probabilities(np.array([[sign * 800.0], [sign * 30.0]]))
    wanted = [float(sign > 0), 1 / (1 + np.exp(-sign * 30.0))]
    assert of_two == pytest.approx(wanted, rel=1e-12)
    of_more = to_probabilities(np.array([[sign * 900.0, -800.0, -800.0]]))
    assert of_more.sum() == pytest.approx(1)
    assert of_more[0, 0] == pytest.approx(1.0 if sign > 0 else 0.0)


def test_a_version_is_loaded_with_its_explanation(tmp_path, contract):
    digest = write_svm(tmp_path / "made", contract)
    assert Scorer.load(tmp_path / "made", digest).explainer is not None


def test_a_version_without_one_is_loaded(tmp_path):
    write(tmp_path / "made", CONTRACT)
    (tmp_path / "made/explanation.onnx").write_bytes(b"of nobody")
    assert Scorer.load(tmp_path / "made").explainer is None


def test_a_file_that_is_not_there_is_told(tmp_path):
    write_svm(tmp_path / "made")
    (tmp_path / "made/explanation.onnx").unlink()
    with pytest.raises(ModelError) as told:
        Scorer.load(tmp_path / "made")
    assert str(told.value) == "explanation.onnx, which model.onnx was made with, is not there"


def test_a_version_that_need_not_be_whole_answers_without_it(tmp_path):
    write_svm(tmp_path / "made")
    (tmp_path / "made/explanation.onnx").unlink()
    assert Scorer.load(tmp_path / "made", whole=False).explainer is None
    (tmp_path / "made/explanation.onnx").write_bytes(b"of another")
    with pytest.raises(ModelError):
        Scorer.load(tmp_path / "made", whole=False)


def test_another_file_is_refused(tmp_path):
    write_svm(tmp_path / "made")
    (tmp_path / "made/explanation.onnx").write_bytes(svm_files(SPECIES)["explanation.onnx"])
    with pytest.raises(ModelError, match=r"explanation\.onnx is not the one that model\.onnx was"):
        Scorer.load(tmp_path / "made")


def test_what_is_no_graph_is_refused(tmp_path, files):
    folder = with_explanation(files, b"no graph", tmp_path / "made")
    with pytest.raises(ModelError, match=r"explanation\.onnx is no model that onnxruntime can run"):
        Scorer.load(folder)


def test_another_graph_is_refused(tmp_path, files):
    folder = with_explanation(files, files["model.onnx"], tmp_path / "made")
    with pytest.raises(ModelError, match=r"explanation\.onnx is no explanation of 3 features"):
        Scorer.load(folder)


@pytest.mark.parametrize(
    ("constant", "change"),
    [
        ("weights", lambda x: x[:, :0]),
        ("weights", lambda x: np.full_like(x, np.inf)),
        ("bias", lambda x: x[:0]),
        ("vectors", lambda x: x[:-1]),
        ("vectors", lambda x: x[:0]),
        ("vectors", lambda x: x * np.nan),
        ("background", lambda x: x[:0]),
        ("background", lambda x: x[:, 1:]),
        ("background", lambda x: x * np.nan),
        ("feature_of", lambda x: x + 1),
        ("feature_of", lambda x: x - 1),
        ("feature_of", lambda x: x * 0),
        ("feature_of", lambda x: x[:-1]),
        ("gamma", lambda x: np.array([float(x)] * 2)),
    ],
)
def test_constants_that_do_not_fit_are_refused(tmp_path, files, constant, change):
    content = changed(files["explanation.onnx"], constant, change)
    folder = with_explanation(files, content, tmp_path / "made")
    with pytest.raises(ModelError, match=r"^explanation\.onnx "):
        Scorer.load(folder)


def test_a_sum_that_is_not_the_graphs_is_refused(tmp_path, files):
    content = changed(files["explanation.onnx"], "vectors", lambda x: x * (1 + 1e-9))
    folder = with_explanation(files, content, tmp_path / "made")
    with pytest.raises(ModelError, match="add up to log-odds that are off by"):
        Scorer.load(folder)


def test_a_sum_of_another_model_is_refused(tmp_path, files):
    content = changed(files["explanation.onnx"], "bias", lambda x: x + 1e-6)
    folder = with_explanation(files, content, tmp_path / "made")
    with pytest.raises(ModelError, match="add up to a probability that is off by"):
        Scorer.load(folder)


def test_features_that_change_places_are_no_error_that_a_sum_shows(tmp_path, files):
    """The sum is the same: that each column is its feature's is for the export to prove."""
    content = changed(files["explanation.onnx"], "feature_of", lambda x: x[::-1].copy())
    assert Scorer.load(with_explanation(files, content, tmp_path / "made")).explainer


def test_a_file_that_hangs_is_refused_in_time(tmp_path, files):
    folder = with_explanation(files, files["explanation.onnx"], tmp_path / "made")
    golden = msgspec.json.decode(files["golden.json"])
    assert len(golden["rows"]) > 1
    with pytest.raises(ModelError, match="in time"):
        Scorer.load(folder, until=0.0)


def test_the_names_of_outputs_are_those_that_are_exported(files):
    model = onnx.load_from_string(files["explanation.onnx"])
    outputs = {output.name for output in model.graph.output}
    assert outputs == {names.ENCODED, names.LOG_ODDS, *names.CONSTANTS}
    with pytest.raises(ModelError):
        Explainer(files["explanation.onnx"], msgspec.structs.replace(CONTRACT, features=()))
