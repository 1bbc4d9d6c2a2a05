import msgspec
import pytest

from pipeline.data.split import SplitRule
from pipeline.registry.split_tag import LONGEST, read_split_tag, split_tag


def rule(columns=("a", "b"), **changes):
    return SplitRule(**{"seed": 42, "test_size": 0.2, "target": "y", "columns": columns, **changes})


MANY = tuple(f"gene number {number}" for number in range(1000))


def test_a_rule_comes_back_from_its_tag():
    for changes in ({}, {"group": "patient"}, {"time": "day", "test_from": "2024-03-01"}):
        assert read_split_tag(split_tag(rule(**changes))) == rule(**changes)


def test_a_rule_of_any_number_of_columns_fits_into_a_tag():
    assert len(split_tag(rule(MANY))) < LONGEST


def test_columns_that_do_not_fit_are_known_again_by_their_digest():
    assert read_split_tag(split_tag(rule(MANY)), MANY) == rule(MANY)
    assert read_split_tag(split_tag(rule(MANY))) is None
    assert read_split_tag(split_tag(rule(MANY)), MANY[1:]) is None


@pytest.mark.parametrize("changes", [{"seed": 7}, {"columns": MANY[1:]}])
def test_rules_that_differ_have_tags_that_differ(changes):
    assert split_tag(msgspec.structs.replace(rule(MANY), **changes)) != split_tag(rule(MANY))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"seed": 1}', '{"seed": 1, "columns": {}}'])
def test_a_tag_that_is_no_rule_is_none(text):
    assert read_split_tag(text) is None
