import pytest

from pipeline.files import write_whole


def test_a_file_is_written_with_its_folder(tmp_path):
    path = tmp_path / "new" / "folder" / "file.json"
    write_whole(path, b"content")
    assert path.read_bytes() == b"content"
    assert [entry.name for entry in path.parent.iterdir()] == ["file.json"]


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"something longer")
    with path.open("rb") as reader:
        write_whole(path, b"new")
        assert reader.read() == b"something longer"  # who reads it has the old one to the end
    assert path.read_bytes() == b"new"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_whole(path, "no bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_cannot_take_its_place_leaves_nothing_beside_it(tmp_path):
    folder = tmp_path / "taken"
    (folder / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="taken"):
        write_whole(folder, b"content")
    assert list(tmp_path.iterdir()) == [folder]
