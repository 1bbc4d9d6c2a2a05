from pipeline.profiling.column_table import format_table, summarize
from pipeline.profiling.columns.column import Column, Left
from pipeline.profiling.split_advice import SplitAdvice
from pipeline.profiling.table_profile import Profile


def table_of(features: dict[str, Column], ignored: dict[str, Left], **missing: int) -> list[str]:
    profile = Profile(features, ignored, (), SplitAdvice(time="day"), missing)
    return format_table(summarize(profile), 200)


def test_each_column_is_a_line_with_what_was_done_and_why() -> None:
    zero = Column(type="integer", missing_values=(0.0,), missing_because="9 rows have 0")
    kind = Column(type="category", categories=("a", "b"), note="a category as given")
    left = {"day": Left("is a date", type="date"), "note": Left("is text", type="text")}
    assert table_of({"zero": zero, "kind": kind}, left, zero=9) == [
        "column  type      missing   done                  why",
        "zero    integer   9 (4.5%)  0 treated as missing  9 rows have 0: please check",
        "kind    category            2 categories          a category as given",
        "day     date                data.time             is a date",
        "note    text                left out              is text",
    ]


def test_many_columns_of_a_kind_are_counted() -> None:
    features = {f"x{place}": Column(type="number") for place in range(290)}
    features["kind"] = Column(type="category", categories=("a", "b"))
    lines = table_of(features, {"note": Left("is text", type="text")}, x7=5)
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "x0 number kept",
        "x1 number kept",
        "x2 number kept",
        "… 287 more number 5 at most kept as those above",
        "kind category 2 categories",
        "note text left out is text",
    ]
