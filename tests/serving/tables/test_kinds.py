import gzip
import pickle
import zipfile

import pytest

from serving.tables.kinds import TableError, kind_of, open_csv, reading_compressed
from tests.workbooks import write_workbook

TEXT = b"a,b\n1,2\n"


@pytest.fixture
def write(tmp_path):
    def write(content, name="table"):
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def zipped(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return path


def content(path):
    with path.open("rb") as file, reading_compressed():
        return open_csv(path, file).read()


def test_a_kind_is_known_by_its_bytes_whatever_its_name(write, tmp_path):
    assert kind_of(write(TEXT)) == "csv"
    assert kind_of(write(b"")) == "csv"
    assert kind_of(write(b"[a],{b}\n")) == "csv"
    assert kind_of(write(gzip.compress(TEXT))) == "gzip"
    assert kind_of(write(b"PAR1....")) == "parquet"
    assert kind_of(zipped(tmp_path / "a", "t.csv")) == "zip"
    assert kind_of(write_workbook(tmp_path / "b", {"one": [["a"]]})) == "excel"


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (pickle.dumps([1]), "a pickle, which is never opened"),
        (b"SQLite format 3\0", "an SQLite database"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel workbook"),
        (b'{"a": 1}', "JSON"),
        (b'\xef\xbb\xbf [ {"a": 1} ]', "JSON"),
        (b"[[1, 2]]", "JSON"),
        (b"<!DOCTYPE html><table>", "HTML or XML"),
        (b"BZh91AY&SY", "compressed in a way"),
    ],
)
def test_another_kind_is_named_as_what_it_is(write, start, what):
    with pytest.raises(TableError, match=f"^is {what}"):
        kind_of(write(start))


def test_a_pickle_is_known_by_its_name_too(write):
    with pytest.raises(TableError, match="is a pickle, which is never opened"):
        kind_of(write(pickle.dumps([1], protocol=0), "table.PKL"))


def test_a_compressed_table_is_read(write, tmp_path):
    assert content(write(gzip.compress(TEXT))) == TEXT
    assert content(zipped(tmp_path / "z", "t.csv", "__MACOSX/._t.csv", "folder/")) == TEXT


def test_a_zip_of_several_files_is_refused_with_their_names(tmp_path):
    with pytest.raises(TableError, match=r"is a \.zip of 2 files \(a.csv, b.csv\): one is needed"):
        content(zipped(tmp_path / "z", "a.csv", "b.csv"))
    with pytest.raises(TableError, match=r"is a \.zip of 0 files \(none\)"):
        content(zipped(tmp_path / "z"))


def test_damaged_bytes_are_told(write):
    with pytest.raises(TableError, match="is damaged"):
        content(write(gzip.compress(TEXT * 1000)[:-20]))
    with pytest.raises(TableError, match="is damaged"):
        content(write(b"PK\x03\x04 and no more"))
