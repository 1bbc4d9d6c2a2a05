import pytest

from pipeline.data.csv_format import find_decimal, find_encoding, find_layout
from serving.model.reading import PLAIN

ROWS = [["1,5", "2"], ["2,25", "3"], ["0,5", ""]]


def layout(text):
    return find_layout(text.splitlines(keepends=True), PLAIN).to_builtins()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a,b\n1,2\n3,4\n", {}),
        ("a\n1\n2\n", {}),
        ("a;b\n1;2\n3;4\n", {"separator": ";"}),
        ("a;b;c\n1,5;2,5;3\n3,5;4,25;3\n", {"separator": ";", "decimal": ","}),
        ("a;b\n1,5;x\n3,5;y\n", {"separator": ";", "decimal": ","}),
        ("a\tb\n1, 2\tx\n3, 4\ty\n", {"separator": "\t"}),
        ("a|b\n1|2\n3|4\n", {"separator": "|"}),
        ('a,b\n"x;y;z",2\n"u;v;w",4\n', {}),
        ("sep=;\na;b\n1;2\n", {"separator": ";", "skip": 1}),
        ("# by me\na,b\n1,2\n3,4\n", {"skip": 1}),
        ("#a,b\n1,2\n3,4\n", {}),
        ("Sales, 2024\n\na,b,c,d\n1,2,3,4\n5,6,7,8\n", {"skip": 2}),
        ("Sales,,\n,,\na,b,c\n1,2,3\n5,6,7\n", {"skip": 2}),
        # What is left out leaves no header: nothing is known.
        ("Sales,,\n1,2,3\n5,6,7\n", {}),
        # R writes no name above its row names.
        ("b,c\nx,1,2\ny,3,4\n", {}),
    ],
)
def test_a_layout_is_found(text, found):
    assert layout(text) == found


@pytest.mark.parametrize(
    ("rows", "decimal"),
    [
        (ROWS, ","),
        ([["1,5", "x"], ["?", "y"]], ","),
        ([["1.5", "2"], ["2.25", "3"]], "."),
        ([["1,5", "2.5"], ["2,25", "3.25"]], "."),  # two columns that disagree
        ([["1,234"], ["5,678"]], "."),  # may be thousands
        ([["1,5", "1.234"], ["2,25", "5.678"]], ","),  # points may be those of thousands
        ([["1,5 mg"], ["2,5 mg"]], "."),
    ],
)
def test_decimals_have_commas_where_all_numbers_agree(rows, decimal):
    assert find_decimal(rows) == decimal


@pytest.mark.parametrize(
    ("text", "encoding", "found"),
    [
        ("a,b\n1,2\n", "ascii", "utf-8"),
        ("a,é\n1,ü\n", "utf-8", "utf-8"),
        ("a,é\n1,ü\n", "utf-8-sig", "utf-8"),
        ("a,b\n1,é\n", "utf-16", "utf-16"),
        ("a,b\n1,Köln\n2,Größe\n", "latin-1", "cp1252"),
        ("a,b\n1,métier à Orléans\n2,Besançon\n", "cp1252", "cp1252"),
        ("возраст;город\n1;Москва\n2;Санкт-Петербург улица\n", "cp1251", "cp1251"),
        ("年齢,都市\n1,東京\n2,大阪の人\n", "shift_jis", "shift_jis"),
    ],
)
def test_an_encoding_is_found(text, encoding, found):
    assert find_encoding(text.encode(encoding).splitlines(keepends=True)) == found


def test_one_letter_at_the_end_of_a_large_file_is_seen():
    assert find_encoding([*[b"1,Wien\n"] * 50_000, "2,Zürich\n".encode("latin-1")]) == "cp1252"
