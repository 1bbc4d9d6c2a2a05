import numpy as np
import pandas as pd
import pytest

from pipeline.profiling.split_advice import SplitAdvice, advise

ROWS = 400
PLACES = np.arange(ROWS)
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=ROWS).round(6)
VISITS = [f"P{number:03}" for number in RNG.integers(0, 80, ROWS)]
DAYS = [str(day) for day in pd.date_range("2023-01-01", periods=ROWS).date]


def advised(test_size=0.2, **columns):
    table = {"noise": NOISE, **columns, "y": PLACES % 3 == 0}
    return advise(pd.DataFrame(table).astype(str), "y", test_size)


@pytest.mark.parametrize(
    "name", ["patient_id", "patient", "PatientID", "customerNumber", "id", "household", "user name"]
)
def test_a_column_that_names_whom_several_rows_are_of_is_the_group(name):
    advice = advised(**{name: VISITS})
    assert advice.group == name
    assert (
        f"rows of one {name} would be on both sides, and the test would look better than for "
        in (advice.notes[0])
    )
    assert "data.group keeps them on one side: set it to null where" in advice.notes[0]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        pytest.param("Age", RNG.integers(20, 80, ROWS), id="a number"),
        pytest.param("customer_age", RNG.integers(20, 80, ROWS), id="what a customer has"),
        pytest.param("city", VISITS, id="a category"),
        pytest.param("zip_code", RNG.integers(1000, 1080, ROWS), id="a code"),
        pytest.param("store_id", RNG.integers(0, 20, ROWS), id="an id of many rows each"),
        pytest.param("patient_id", PLACES * 3, id="an id of one row each"),
        pytest.param("user_id", RNG.integers(0, 4000, ROWS), id="an id that is equal by chance"),
        pytest.param("user", PLACES % 3, id="few of them"),
        pytest.param("user", NOISE.round(1), id="fractions"),
        pytest.param("user", np.where(PLACES == 7, "", VISITS), id="one that is absent"),
        pytest.param("user", np.where(PLACES % 3, "me", VISITS), id="mostly one"),
    ],
)
def test_an_ordinary_column_is_no_group(name, values):
    assert advised(**{name: values}).group is None


def test_of_two_groups_it_is_the_larger_ones():
    advice = advised(patient=VISITS, household=[f"H{int(visit[1:]) // 2}" for visit in VISITS])
    assert advice.group == "household"


def test_a_date_is_the_time_and_the_latest_rows_are_for_the_test():
    advice = advised(when=RNG.permutation(DAYS))
    assert (advice.time, advice.test_from) == ("when", DAYS[320])
    said = f"column when: is the time of a row: the 20% of the rows from {DAYS[320]} on are for "
    assert advice.notes[0].startswith(said)
    assert advice.notes[0].endswith("set both to null where time does not matter")
    assert advised(test_size=0.5, when=DAYS).test_from == DAYS[200]


def test_of_two_dates_it_is_the_one_that_is_called_so():
    assert advised(signup=DAYS, date=DAYS).time == "date"


def test_a_year_is_a_time_as_a_number():
    advice = advised(year=2000 + PLACES // 20)
    assert (advice.time, advice.test_from) == ("year", 2016)


@pytest.mark.parametrize(
    ("values", "test_from"),
    [
        pytest.param([day.replace("-", "") for day in DAYS], 20231117, id="20231117"),
        pytest.param(1_700_000_000 + PLACES * 86_400, 1_727_648_000, id="seconds since 1970"),
        pytest.param([day[:7] for day in DAYS], "2023-12", id="a month"),
    ],
)
def test_other_times_in_order_are_times(values, test_from):
    advice = advised(when=values)
    assert (advice.time, advice.test_from) == ("when", test_from)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        pytest.param("birth_date", DAYS, id="a date of birth"),
        pytest.param("YearBuilt", 2000 + PLACES // 20, id="a year of something"),
        pytest.param("year", 2007 + PLACES % 3, id="too few years"),
        pytest.param("date", [f"{1 + day % 28}.1.2024" for day in PLACES], id="not ISO"),
        pytest.param("date", np.where(PLACES % 2, DAYS[0], DAYS[1]), id="no moment to cut at"),
        pytest.param("date", [DAYS[0]] * ROWS, id="one day"),
        pytest.param("day", PLACES % 31 + 1, id="a day of the month"),
    ],
)
def test_what_is_no_time_of_a_row_does_not_split_it(name, values):
    assert advised(**{name: values}) == SplitAdvice()


def test_dates_with_others_among_them_are_told_and_not_set():
    advice = advised(date=["soon", *DAYS[1:]])
    assert advice.time is None
    assert advice.notes == (
        "column date: has dates, but 1 of 400 cells is none, such as 'soon' in row 1: "
        "correct it and run this again to test on the latest rows (data.time)",
    )


@pytest.mark.parametrize("start", [0, 1])
def test_a_column_that_numbers_the_rows_is_found_in_any_order(start):
    assert advised(nr=RNG.permutation(ROWS) + start, a=PLACES * 2).row_numbers == ("nr",)


def test_numbers_that_start_elsewhere_may_say_something():
    assert advised(nr=PLACES + 2).row_numbers == ()


def test_where_many_rows_are_equal_they_are_split_apart_and_that_is_told():
    advice = advised(noise=PLACES % 50, nr=PLACES)
    assert advice.repeats == "apart"
    assert advice.notes == (
        "100 of 400 rows are distinct: equal ones are taken for different cases, each on a side of "
        "its own (data.repeats: apart); set it to together where they are copies",
    )
    assert advised(noise=np.where(PLACES < 370, PLACES, 0)).repeats == "together"


def test_repeats_are_not_told_where_something_else_decides():
    advice = advised(noise=0, patient=VISITS)
    assert advice.repeats == "apart"
    assert len(advice.notes) == 1
