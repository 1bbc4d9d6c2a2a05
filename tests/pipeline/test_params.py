import re
from pathlib import Path

import msgspec
import pytest
from dvc.utils.hydra import apply_overrides

from pipeline.data.contract import data_contract
from pipeline.errors import PipelineError
from pipeline.params import PLACE, GridSearch, flatten
from pipeline.params_file import load, parse
from tests.conftest import ROOT

FILE = ROOT / "params.yaml"
BLOCK = re.compile(r":( #[^\n]*)?((?:\n *- [^\n]+)+)")


def with_lists_on_one_line(text: str) -> str:
    """Write each list as [a, b], which a test can change as one line."""
    return BLOCK.sub(
        lambda block: f": [{', '.join(re.findall('- (.+)', block[2]))}]{block[1] or ''}", text
    )


TEXT = with_lists_on_one_line(FILE.read_text())


def test_an_experiment_changes_the_one_line_that_it_sets(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(FILE.read_text())
    apply_overrides(path, ["grid_search.grid_size=12"])  # as `dvc exp run -S` does
    assert path.read_text() == FILE.read_text().replace("grid_size: 10 ", "grid_size: 12 ")


@pytest.fixture
def changed(tmp_path):
    """Load params.yaml with one line changed."""

    def load_changed(old: str, new: str):
        assert old in TEXT
        path = tmp_path / "params.yaml"
        path.write_text(TEXT.replace(old, new, 1))
        return load(path)

    return load_changed


@pytest.mark.parametrize(
    ("old", "new", "place", "what"),
    [
        ("read: {}", "read: {separator: ab}", "data.read", "separator must be one character"),
        ("read: {}", "read: {encoding: nope}", "data.read", "no encoding is called 'nope'"),
        ("read: {}", "read: {sep: ';'}", "data.read", "unknown field `sep`"),
        ("grid_size: 10", "grid_sise: 10", "grid_search", "unknown field `grid_sise`"),
        ("seed: 42", "sead: 42", "the top level", "unknown field `sead`"),
        ("limits: [20, 1000]", "limit: [20, 1000]", "data.features.Glucose", "field `limit`"),
        ("max_brier: 0.20", "max_bier: 0.20", "register.gates", "unknown field `max_bier`"),
        ("grid_size: 10", "grid_size: ten", "grid_search.grid_size", "Expected `int`, got `str`"),
        ("grid_size: 10", "grid_size: 0", "grid_search.grid_size", "`int` >= 1"),
        ("seed: 42", "seed: -1", "seed", "`int` >= 0"),
        ("test_size: 0.2", "test_size: 1", "preprocess.test_size", "`float` < 1.0"),
        ("rank_by: auto", "rank_by: mode", "grid_search.rank_by", "'mode'"),
        ("repeats: auto", "repeats: 0", "grid_search.repeats", "`int` >= 1"),
        ("folds: 5", "folds: 1", "grid_search.folds", "`int` >= 2"),
        ("C: [0.01, 1000]", "C: [0, 1000]", "grid_search.C[0]", "`float` > 0.0"),
        ("C: [0.01, 1000]", "C: [1, .inf]", "grid_search.C[1]", "`float` <= 1.79"),
        ("C: [0.01, 1000]", "C: [1000, 0.01]", "grid_search", "[lowest, highest]"),
        ("gamma: [0.0001, 10]", "gamma: [10, 1]", "grid_search", "[lowest, highest]"),
        ("Age: [30, 45]", "Age: [45, 30]", "evaluate", "cut points of subgroups.Age must increase"),
        (
            "Age: [30, 45]",
            "Age: [30, old]",
            "evaluate.subgroups.Age[1]",
            "Expected `float`, got `str`",
        ),
        (
            "subgroups: {Age: [30, 45]}",
            "subgroups: {Agee: [30]}",
            "the top level",
            "evaluate.subgroups.Agee is no feature under data.features",
        ),
        ("strategy: auto", "strategy: random", "grid_search.strategy", "'random'"),
        ("halving_factor: 3", "halving_factor: 1", "grid_search.halving_factor", "`int` >= 2"),
        ("components: auto", "components: 0", "grid_search.components", "`int` >= 1"),
        (
            "cost: {false_positive: 1, false_negative: 1}",
            "cost: {false_positive: 0, false_negative: 1}",
            "grid_search.cost.false_positive",
            "`float` >= 1e-06",
        ),
        (
            "cost: {false_positive: 1, false_negative: 1}",
            "cost: {false_negative: 5}",
            "grid_search.cost",
            "missing required field `false_positive`",
        ),
        (
            TEXT[TEXT.index("threshold: youden") : TEXT.index("  # auto chooses")],
            "threshold: cost\n",
            "grid_search",
            "so cost must give that of each mistake",
        ),
        ("memory_limit: #", "memory_limit: 0 #", "grid_search.memory_limit", "`float` > 0.0"),
        ("backend: local", "backend: dask", "grid_search", "scheduler must be its address"),
        ("limits: [20, 1000]", "limits: [1000, 20]", "data.features.Glucose", "[lowest, highest]"),
        ("limits: [20, 1000]", "limits: [.nan, 20]", "data.features.Glucose", "[lowest, highest]"),
        (
            "missing_values: [0]",
            "missing_values: [.nan]",
            "data.features.Glucose.missing_values[0]",
            "Expected `float`",
        ),
        ("missing_values: [0]", "missing_values: 0", "Glucose.missing_values", "`array`"),
        (
            "missing_values: [0]",
            "missing_values: [0]\n      nullable: false",
            "data.features.Glucose",
            "nullable cannot be false",
        ),
        ("target: Outcome", "target: Age", "data", "the target Age cannot be a feature"),
        ("ignore: []", "ignore: [BMI]", "data", "BMI cannot be ignored"),
        (
            "  time:\n",
            "  time: Age\n",
            "data",
            "time and test_from go together: set both, or neither",
        ),
        ("test_from: #", "test_from: 30 #", "data", "time and test_from go together"),
        ("test_from: #", "test_from: 2024-03-01 #", "data.test_from", "a date needs quotes"),
        ("group: #", "group: Outcome #", "data", "the target Outcome cannot be group, time or"),
        ("row_numbers: []", "row_numbers: [BMI]", "data", "BMI cannot be a feature or the group"),
        ("repeats: together", "repeats: no", "data.repeats", "Invalid enum value"),
        ("positive_class: 1", "positive_class: [1]", "data.positive_class", "got `array`"),
        ("class_names: {}", "class_names: {0: no, 1: 5}", "data.class_names.1", "Expected `str`"),
        ("class_names: {}", "class_names: {null: no}", "data.class_names", "as a name: quote it"),
        ("name: pima-diabetes", "name: a/b", "name", "matching regex"),
    ],
)
def test_a_wrong_setting_is_named_by_its_path(changed, tmp_path, old, new, place, what):
    with pytest.raises(PipelineError) as error:
        changed(old, new)
    assert str(error.value).startswith(f"{tmp_path / 'params.yaml'}, ")
    assert f"{place}: " in str(error.value)
    assert what in str(error.value)


@pytest.mark.parametrize("name", ["", " ", "Unnamed: 0"])
def test_an_unnamed_index_cannot_be_made_a_feature(changed, name):
    with pytest.raises(PipelineError, match="unnamed index column, which is no feature"):
        changed("    Glucose:", f'    "{name}":')


def test_test_rows_are_chosen_by_one_setting():
    changes = ["data.test_file=b.csv", "data.time=Age"]
    with pytest.raises(PipelineError, match="test_file and test_from both choose the test rows"):
        load(ROOT / "params.yaml", [*changes, "data.test_from=30"])


def test_a_name_with_spaces_around_it_is_refused(changed):
    with pytest.raises(PipelineError, match="'BMI ' has spaces around it"):
        changed("    BMI:", '    "BMI ":')


def test_a_feature_named_by_a_number_must_be_quoted(changed):
    with pytest.raises(PipelineError, match=r"data\.features: Expected `str`.* as a name: quote"):
        changed("    BMI:", "    2019:")


def test_features_cannot_be_empty(make_params):
    with pytest.raises(msgspec.ValidationError, match="at least one column"):
        make_params({})


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(PipelineError, match=r"none\.yaml cannot be read: No such file"):
        load(tmp_path / "none.yaml")


@pytest.mark.parametrize("content", [b"seed: [1", b"name: caf\xe9", b"\tseed: 1"])
def test_what_is_not_yaml_is_said_in_one_line(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    with pytest.raises(PipelineError, match=r"params\.yaml is not valid YAML") as error:
        load(path)
    assert "\n" not in str(error.value)


def test_a_key_that_stands_twice_is_named_with_its_line(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("seed: 1\nseed: 2\n")
    with pytest.raises(PipelineError) as error:
        load(path)
    assert "duplicate key" in str(error.value)
    assert str(error.value).endswith("in line 2")


@pytest.mark.parametrize("content", ["", "- 1\n", "text\n"])
def test_what_is_not_a_mapping_is_refused(tmp_path, content):
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(PipelineError, match="the top level: Expected `object`"):
        load(path)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [("seed: 42", "seed: 42\nseed: 43", "seed"), ("    Glucose:", "    Age:", "Age")],
)
def test_a_key_that_stands_twice_is_refused(changed, old, new, key):
    with pytest.raises(PipelineError, match=f'duplicate key "{key}"'):
        changed(old, new)


@pytest.mark.parametrize(("text", "value"), [("1e-4", 1e-4), ("1e+3", 1e3), ("2", 2.0)])
def test_numbers_are_read_as_yaml_1_2_has_them(changed, text, value):
    params = changed("gamma: [0.0001, 10]", f"gamma: [{text}, 1e5]")
    assert params.grid_search.gamma == (value, 1e5)


def test_a_word_is_no_boolean(changed):
    assert changed("positive_class: 1", "positive_class: yes").data.positive_class == "yes"


def test_settings_are_frozen(pima_params):
    with pytest.raises(AttributeError):
        pima_params.seed = 1


def test_the_repositorys_settings_name_the_pima_table(pima_params):
    assert (pima_params.seed, pima_params.grid_search.grid_size) == (42, 10)
    assert len(pima_params.data.features) == 8
    assert pima_params.data.target == "Outcome"


def test_flattened_settings_have_one_text_for_each_leaf(pima_params):
    flat = flatten(pima_params)
    assert flat["seed"] == "42"
    assert flat["grid_search.C"] == "[0.01,1000.0]"
    assert flat["register.gates.max_brier"] == "0.2"
    assert flat["register.auto_promote"] == "repro"
    assert flat["data.positive_class"] == "1"
    assert flat["data.features"].startswith('["Pregnancies","Glucose",')
    assert not [key for key in flat if key.startswith("data.features.")]
    assert all(isinstance(value, str) for value in flat.values())


def test_the_contract_takes_its_features_from_the_settings(pima_params):
    contract = data_contract(pima_params.data, (0, 1))
    glucose, age = contract.features[1], contract.features[7]
    assert contract.names == list(pima_params.data.features)
    assert (contract.target, contract.classes) == ("Outcome", (0, 1))
    assert (glucose.missing_values, glucose.nullable) == ((0.0,), True)
    assert (glucose.minimum, glucose.maximum, glucose.unit) == (20, 1000, "mg/dL")
    assert (age.type, age.nullable, age.missing_values) == ("integer", False, ())


def test_a_feature_may_be_absent_only_where_the_settings_say_so(make_params):
    features = {"plain": None, "blank": {"nullable": True}, "coded": {"missing_values": [9]}}
    contract = data_contract(make_params(features).data, (0, 1))
    assert [feature.nullable for feature in contract.features] == [False, True, True]
    assert contract.features[0].minimum is None


def test_limits_may_be_open_at_an_end(changed):
    params = changed("limits: [20, 1000]", "limits: [20, .inf]")
    contract = data_contract(params.data, (0, 1))
    reread = msgspec.json.decode(contract.to_json(), type=type(contract))
    assert (reread.features[1].minimum, reread.features[1].maximum) == (20, None)


def test_changes_are_in_force_as_if_they_stood_in_the_file():
    path = ROOT / "params.yaml"
    changed = load(path, ["grid_search.grid_size=4", "grid_search.C=[1, 2]", "name=other"])
    assert (changed.grid_search.grid_size, changed.grid_search.C) == (4, (1.0, 2.0))
    assert changed.name == "other"
    assert changed.seed == load(path).seed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("grid_search.grid_size", "write KEY=VALUE"),
        ("grid.grid_size=3", "names no setting"),
        ("seed.x=3", "names no setting"),
        ("grid_search.grid_sise=3", "unknown field `grid_sise`"),
        ("grid_search.C=[1", "names no setting"),
    ],
)
def test_a_change_that_is_no_setting_is_told(change, said):
    with pytest.raises(PipelineError) as refused:
        load(ROOT / "params.yaml", [change])
    assert said in str(refused.value)


def test_subgroups_may_be_left_out(changed):
    assert changed("  subgroups: {Age: [30, 45]}\n", "").evaluate.subgroups == {}


def test_where_the_search_runs_is_named_after_settings_that_exist():
    assert {*PLACE} < {field.name for field in msgspec.structs.fields(GridSearch)}


CATEGORY = {"type": "category", "categories": ["low", "high"]}


def test_a_category_takes_its_texts_from_the_settings(make_params):
    features = {
        "plain": CATEGORY,
        "coded": {**CATEGORY, "missing_values": ["?"], "unit": "grade"},
        "open": {**CATEGORY, "unseen": "missing"},
        "closed": {**CATEGORY, "nullable": True},
    }
    contract = data_contract(make_params(features).data, (0, 1))
    plain, coded, lenient, closed = contract.features
    assert [f.nullable for f in contract.features] == [False, True, True, True]
    assert (plain.type, plain.categories, plain.unseen) == ("category", ("low", "high"), "refuse")
    assert (coded.missing_values, coded.unit) == (("?",), "grade")
    assert (lenient.unseen, closed.unseen) == ("missing", "refuse")


@pytest.mark.parametrize(
    ("spec", "place", "what"),
    [
        ("{type: category}", "", "needs two categories or more"),
        ("{type: category, categories: [a]}", "", "needs two categories or more"),
        ("{type: category, categories: a}", ".categories", "Expected `array`"),
        ("{type: category, categories: [a, 1]}", ".categories[1]", "got `int`: quote it"),
        ("{type: category, categories: [true, b]}", ".categories[0]", "got `bool`: quote it"),
        ("{type: category, categories: [a, null]}", ".categories[1]", "got `null`: quote it"),
        ("{type: category, categories: [a, a]}", "", "'a' is listed twice in categories"),
        ("{type: category, categories: [a, ' b']}", "", "' b' is empty or has spaces around it"),
        ("{type: category, categories: [a, '']}", "", "'' is empty or has spaces around it"),
        (
            "{type: category, categories: [a, b], missing_values: [0]}",
            "",
            "missing_values of a category are texts: quote 0",
        ),
        ("{type: category, categories: [a, b], missing_values: [a]}", "", "'a' is listed twice"),
        ("{type: category, categories: [a, b], limits: [0, 1]}", "", "a category has none"),
        ("{type: category, categories: [a, b], unseen: drop}", ".unseen", "enum value 'drop'"),
        (
            "{type: category, categories: [a, b], unseen: missing, nullable: false}",
            "",
            "nullable cannot be false where unseen is missing",
        ),
        ("{categories: [a, b]}", "", "are for `type: category`, the type here is number"),
        ("{type: date}", "", "`type: date` needs date_format, such as"),
        ("{type: number, parts: [year]}", "", "no other type has them"),
        ("{type: date, date_format: '%Y', parts: [year, year]}", "", "can be taken once"),
        ("{type: boolean, number_format: {suffix: '%'}}", "", "number_format is for numbers"),
        ("{number_format: {decimal: ',', thousands: ','}}", "", "different signs for decimal"),
        ("{type: integer, unseen: other}", "", "are for `type: category`"),
        ("{type: integer, unseen: missing}", "", "are for `type: category`"),
        ("{missing_values: ['?']}", "", "missing_values of this type are numbers, not '?'"),
    ],
)
def test_a_category_that_cannot_be_is_named_by_its_path(changed, spec, place, what):
    with pytest.raises(PipelineError) as error:
        changed("  features:\n", f"  features:\n    Colour: {spec}\n")
    assert f"data.features.Colour{place}: " in str(error.value)
    assert what in str(error.value)


def test_yes_and_no_are_texts_and_need_no_quotes(changed):
    spec = "{type: category, categories: [yes, no]}"
    params = changed("  features:\n", f"  features:\n    Smoker: {spec}\n")
    assert params.data.features["Smoker"].categories == ("yes", "no")


def test_the_card_s_words_may_be_left_out_and_are_no_parameters(changed, pima_params):
    start = TEXT.index("\ncard:")
    assert changed(TEXT[start:], "\n").card.license == ""
    assert not [key for key in flatten(pima_params) if key.startswith("card")]


def test_the_tutorials_rule_is_the_median_and_nothing_else(pima_params):
    tutorial = msgspec.structs.replace(pima_params.grid_search, rule="tutorial")
    assert tutorial.selection == (("none",), "roc_auc", "median")
    assert tutorial.repeats_for(100) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("class_weight", "none"),
        ("repeats", 1),
        ("score", "roc_auc"),
        ("rank_by", "median"),
        ("widen", "true"),
    ],
)
def test_the_tutorials_rule_with_another_setting_is_refused(name, value):
    changes = ["grid_search.rule=tutorial", f"grid_search.{name}={value}"]
    with pytest.raises(PipelineError, match=f"set {name} to auto, here it is {value}"):
        load(ROOT / "params.yaml", changes)


def test_auto_tries_both_class_weights_and_fewer_repeats_of_more_rows(pima_params):
    settings = pima_params.grid_search
    assert settings.selection == (("none", "balanced"), "roc_auc", "mean")
    assert [settings.repeats_for(rows) for rows in (600, 5000, 12_000, 60_000)] == [5, 5, 2, 1]
    given = msgspec.structs.replace(
        settings, class_weight="balanced", repeats=3, score="average_precision", rank_by="median"
    )
    assert given.selection == (("balanced",), "average_precision", "median")
    assert given.repeats_for(60_000) == 3


def test_conflict_that_git_left_is_told_with_its_line():
    text = "seed: 1\n<<<<<<< HEAD\nname: a\n=======\nname: b\n>>>>>>> other\n"
    with pytest.raises(PipelineError, match="conflict markers of git at line 2: keep one side"):
        parse(text, Path("params.yaml"))
