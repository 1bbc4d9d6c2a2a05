import pytest

from pipeline.errors import PipelineError
from pipeline.profiling.choices import Choices, resolve

COLUMNS = ["a", "b", "c, d", "y"]


def test_names_stand_with_commas_or_one_by_one() -> None:
    choices = resolve(Choices(ignore=("a, b",), category=("c, d",)), COLUMNS, "y")
    assert (choices.ignore, choices.category) == (("a", "b"), ("c, d",))


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (Choices(number=("x",)), "--number: the table has no column x; it has a, b, c, d, y"),
        (Choices(group="x"), "--group: the table has no column x"),
        (Choices(time="y"), "--time: y is the target"),
        (
            Choices(ignore=("a",), number=("a",)),
            "--ignore, --category, --number and --date: a can be only one of them",
        ),
    ],
)
def test_what_cannot_be_is_refused(choices: Choices, said: str) -> None:
    with pytest.raises(PipelineError) as refused:
        resolve(choices, COLUMNS, "y")
    assert str(refused.value).startswith(said)
