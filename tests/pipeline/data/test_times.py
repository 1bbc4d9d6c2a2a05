import numpy as np
import pandas as pd
import pytest

from pipeline.data.times import read_time, read_times

DAY = 86400


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", DAY),
        (" 1970-01-01T00:00:01.5 ", 1.5),
        ("1970-01-02 00:00:00+01:00", DAY - 3600),
        ("1970-01-02T00:00Z", DAY),
        ("1969-12-31", -DAY),
        ("9999-12-31", 253402214400),
        ("1970", 0),
        ("1970-02", 31 * DAY),
    ],
)
def test_a_date_is_its_seconds_since_1970(text, seconds):
    assert read_time(text) == seconds


def test_each_time_may_have_a_zone_of_its_own():
    texts = pd.Series(["1970-01-02 02:00+02:00", "1970-01-02", "1970-01-01T23:00-01:00"], dtype=str)
    assert read_times(texts, as_numbers=False).tolist() == [DAY] * 3


@pytest.mark.parametrize("text", ["", "NA", "now", "today", "NaT", "1.2.2024", "2024-13-01", "x"])
def test_what_is_no_date_has_no_time(text):
    assert np.isnan(read_time(text))


def test_numbers_are_read_as_cells_are():
    texts = pd.Series(["2024", " 1e3", "", "1_0", "inf", "1e400"], dtype=str)
    assert read_times(texts, as_numbers=True)[:2].tolist() == [2024, 1000]
    assert np.isnan(read_times(texts, as_numbers=True)[2:]).all()
    assert read_time(2024) == 2024
