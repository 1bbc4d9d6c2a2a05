import json

import pandas as pd
import pytest
from click.testing import CliRunner

from pipeline.errors import PipelineError
from pipeline.stages import preprocess
from serving.model.contract import Contract

GOOD = "a,b,y\n" + "".join(f"{row},{row % 7},{row % 2}\n" for row in range(1, 201))
TWO = {"a": {"limits": [0, 1000]}, "b": None}


@pytest.fixture
def outputs(tmp_path):
    return [tmp_path / "out" / name for name in ("training.csv", "test.csv", "contract.json")]


@pytest.fixture
def preprocess_text(write_csv, make_params, outputs):
    def run(content, features=TWO, **options):
        params = make_params(features, **options)
        preprocess.run(params, write_csv(content), *outputs)
        training, test, contract = outputs
        return (
            pd.read_csv(training, dtype=str, keep_default_na=False),
            pd.read_csv(test, dtype=str, keep_default_na=False),
            Contract.read(contract),
        )

    return run


BAD = {
    "missing column": GOOD.replace("a,b,y", "a,c,y"),
    "extra column": "a,b,y,z\n1,2,0,0\n2,2,1,0\n",
    "text in a number": GOOD + "tall,1,0\n",
    "infinite": GOOD + "inf,1,0\n",
    "one class": "a,b,y\n1,2,0\n2,2,0\n",
    "three classes": GOOD + "1,1,2\n",
    "empty": "",
    "header only": "a,b,y\n",
    "not UTF-8": GOOD.encode() + b"\xff,1,0\n",
    "outside its limits": GOOD + "1001,1,0\n",
    "row too long": GOOD + "1,1,0,0\n",
    "row too short": GOOD + "1,1\n",
    "column twice": GOOD.replace("a,b,y", "a,a,y"),
    "no target": GOOD.replace("a,b,y", "a,b,x"),
    "blank": GOOD + ",1,0\n",
    "too few of a class": "a,b,y\n1,2,0\n2,2,0\n3,3,1\n",
    "never known": "a,b,y\n" + "".join(f"{row},-1,{row % 2}\n" for row in range(200)),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_a_bad_table_leaves_no_output(preprocess_text, outputs, content):
    with pytest.raises(PipelineError):
        preprocess_text(content, {**TWO, "b": {"missing_values": [-1]}})
    assert not outputs[0].parent.exists()


def test_a_feature_that_is_never_known_is_named(preprocess_text):
    rows = "".join(f"{row},{'' if row % 3 else -1},{row % 2}\n" for row in range(200))
    with pytest.raises(PipelineError, match="column b: has no known value in the training split"):
        preprocess_text(f"a,b,y\n{rows}", {**TWO, "b": {"missing_values": [-1]}})


def test_a_table_is_split_and_described(preprocess_text, capsys):
    training, test, contract = preprocess_text(GOOD)
    assert len(training) + len(test) == 200
    assert 25 <= len(test) <= 55
    assert contract.names == ["a", "b"]
    assert contract.threshold is None
    told = capsys.readouterr()
    assert told.out == (
        f"200 rows, 100 of them y 1: {len(training)} for training, {len(test)} for the test\n"
    )
    assert told.err == ""


VISITS = "a,b,y,who,when\n" + "".join(
    f"{row},{row % 7},{row % 2},P{row % 50 // 2},{1990 + row // 10}\n" for row in range(200)
)
OTHERS = {"ignore": ["who", "when"]}


def test_the_group_is_written_behind_the_target_and_stays_on_one_side(preprocess_text, capsys):
    training, test, contract = preprocess_text(VISITS, **OTHERS, data={"group": "who"})
    assert list(training.columns) == list(test.columns) == ["a", "b", "y", "who"]
    assert {*training["who"]} & {*test["who"]} == set()
    assert contract.names == ["a", "b"]
    assert capsys.readouterr().out.endswith(
        f"{len(test)} for the test, the rows of one who on one side\n"
    )


def test_a_time_leaves_the_latest_rows_to_the_test(preprocess_text, capsys):
    when = {"time": "when", "test_from": 2006}
    training, test, _ = preprocess_text(VISITS, **OTHERS, data=when)
    assert training["when"].max() == "2005"
    assert test["when"].min() == "2006"
    assert capsys.readouterr().out.endswith(
        "160 for training, 40 for the test: when from 2006 on\n"
    )


def test_test_rows_may_have_a_file_of_their_own(preprocess_text, tmp_path, capsys):
    later = tmp_path / "later.csv"
    later.write_text("b,y,a\n" + "".join(f"{row % 7},{row % 2},{row}.5\n" for row in range(20)))
    training, test, _ = preprocess_text(GOOD, data={"test_file": str(later)})
    assert (len(training), len(test)) == (200, 20)
    assert list(test.columns) == ["a", "b", "y"]
    assert capsys.readouterr().out.endswith(f"20 for the test: {later}\n")


def test_too_few_rows_for_the_test_are_refused_before_anything_is_written(preprocess_text, outputs):
    rows = "".join(f"{row},1,{row % 2}\n" for row in range(30))
    with pytest.raises(PipelineError, match=r"and 5 are needed; give more rows, or set a larger"):
        preprocess_text("a,b,y\n" + rows)
    assert not outputs[0].parent.exists()


def test_every_row_is_in_one_split_as_it_was_written(preprocess_text):
    content = GOOD.replace("\n7,", "\n7.50,").replace("\n8,", "\n 8e0,")
    training, test, _ = preprocess_text(content)
    written = [",".join(row) for part in (training, test) for row in part.to_numpy()]
    assert sorted(written) == sorted(content.splitlines()[1:])


def test_the_ranges_are_of_known_values_of_the_training_split_alone(preprocess_text):
    features = {"a": {"missing_values": [-1, 99], "nullable": True}, "b": None}
    rows = "".join(
        f"{[-1, 99, '', row][row % 4]},{row * 1.5},{(row // 4) % 2}\n" for row in range(200)
    )
    training, _, contract = preprocess_text(f"a,b,y\n{rows}", features, seed=1)
    known = [int(text) for text in training["a"] if text not in ("-1", "99", "")]
    assert contract.features[0].training_range == (min(known), max(known))
    b = training["b"].astype(float)
    assert contract.features[1].training_range == (b.min(), b.max())
    assert (b.min(), b.max()) != (0, 298.5)  # an end of the table is in the test split


def test_the_same_seed_gives_the_same_files(preprocess_text, outputs):
    written = []
    for seed in (7, 7, 8):
        preprocess_text(GOOD, seed=seed)
        written.append([path.read_bytes() for path in outputs])
    assert written[0] == written[1]
    assert written[0][0] != written[2][0]


def test_repeated_rows_are_told_on_standard_error_and_kept(preprocess_text, capsys):
    training, test, _ = preprocess_text(GOOD + "1,1,1\n")
    assert len(training) + len(test) == 201
    said = capsys.readouterr().err
    assert said.startswith("note: ")
    assert said.endswith(
        "row 201: repeats an earlier row, and is kept; "
        "equal rows are on one side of the split (data.repeats: together)\n"
    )


def test_classes_may_be_words_and_features_booleans(preprocess_text):
    rows = "".join(f"{row % 3 == 0},{row},{'MB'[row % 2]}\n" for row in range(200))
    features = {"smoker": {"type": "boolean"}, "b": None}
    training, _, contract = preprocess_text(f"smoker,b,y\n{rows}", features, positive_class="M")
    assert contract.classes == ("B", "M")
    assert contract.features[0].training_range == (0, 1)
    assert set(training["smoker"]) == {"True", "False"}


def test_the_pima_table_gives_the_known_split(pima):
    training, test = pd.read_csv(pima.training), pd.read_csv(pima.test)
    assert (len(training), len(test)) == (631, 137)
    assert (training["Outcome"].sum(), test["Outcome"].sum()) == (227, 41)
    glucose = Contract.read(pima.contract).features[1]
    assert glucose.training_range == (
        training["Glucose"][training["Glucose"] > 0].min(),
        training["Glucose"].max(),
    )


@pytest.fixture(scope="module")
def leaked(breast_cancer_csv, make_params, run_chain):
    """The whole chain on a table with the index that `to_csv` wrote."""
    names = pd.read_csv(breast_cancer_csv, nrows=0).columns[1:-1]
    params = make_params(dict.fromkeys(names), target="target", positive_class=0)
    return run_chain(params, breast_cancer_csv)


def test_the_index_of_to_csv_is_no_feature(leaked):
    contract = Contract.read(leaked.contract)
    header = leaked.training.read_text().splitlines()[0].split(",")
    assert len(contract.names) == 30
    assert contract.names[0] == "mean radius"
    assert header == [*contract.names, "target"]


def test_the_index_of_to_csv_is_told(breast_cancer_csv, leaked, outputs, capsys):
    preprocess.run(leaked.params, breast_cancer_csv, *outputs)
    assert capsys.readouterr().err == (
        f"note: {breast_cancer_csv}: the unnamed column 1 is an index, no feature: left out\n"
    )


def test_the_chain_runs_on_another_table(leaked):
    metrics = json.loads(leaked.metrics.read_text())
    assert metrics["rows"] == 113
    assert metrics["roc_auc"] > 0.95
    model_contract = Contract.read(leaked.model / "contract.json")
    assert model_contract.classes == (1, 0)
    assert model_contract.names == Contract.read(leaked.contract).names


def test_the_command_takes_the_paths(tmp_path, write_csv, outputs):
    params = tmp_path / "params.yaml"
    table = {**PIMA_LIKE["data"], "file": str(write_csv(GOOD))}
    params.write_text(json.dumps({**PIMA_LIKE, "data": table}))  # JSON is YAML
    training, test, contract = map(str, outputs)
    arguments = ["--params", str(params), "--training", training]
    done = CliRunner().invoke(
        preprocess.command, [*arguments, "--test", test, "--contract", contract]
    )
    assert done.exit_code == 0, done.output
    assert all(path.exists() for path in outputs)


PIMA_LIKE = {
    "name": "small",
    "seed": 1,
    "data": {"file": "t.csv", "target": "y", "positive_class": 1, "features": {"a": {}, "b": None}},
    "preprocess": {"test_size": 0.25},
    "grid_search": {
        "grid_size": 2,
        "C": [1, 10],
        "gamma": [0.1, 1],
        "folds": 3,
        "rank_by": "mean",
        "threshold": "f1",
    },
    "evaluate": {"confidence": 0.9, "resamples": 100, "bins": 5},
    "register": {
        "auto_promote": False,
        "gates": {"min_roc_auc": 0.5, "max_brier": 0.3, "max_roc_auc_drop": 0},
    },
}


def test_a_category_has_no_range_but_must_be_known_in_training(preprocess_text):
    category = {"type": "category", "categories": ["red", "green"], "missing_values": ["?"]}
    rows = "".join(f"{row},{('red', 'green')[row % 3 > 0]},{row % 2}\n" for row in range(200))
    training, _, contract = preprocess_text("a,b,y\n" + rows, {**TWO, "b": category})
    assert set(training["b"]) == {"red", "green"}
    assert contract.features[1].training_range is None
    assert contract.features[1].categories == ("red", "green")
    never = "".join(f"{row},?,{row % 2}\n" for row in range(200))
    with pytest.raises(PipelineError, match="column b: has no known value in the training split"):
        preprocess_text("a,b,y\n" + never, {**TWO, "b": category})


def test_rare_categories_are_grouped_in_the_contract_and_stay_in_the_tables(
    preprocess_text, capsys
):
    rows = [f"{row},{'abcdefgh'[min(row % 40, 7)]},{row % 2}" for row in range(200)]
    spec = {"type": "category", "categories": [*"abcdefgh"]}
    training, test, contract = preprocess_text("a,b,y\n" + "\n".join(rows), {"a": None, "b": spec})
    feature = contract.features[1]
    assert (feature.categories, feature.grouped) == (("h",), tuple("abcdefg"))
    assert {*training["b"], *test["b"]} == {*"abcdefgh"}
    assert "note: column b: 7 categories with fewer than 10 training" in capsys.readouterr().err
