"""A new file is there whole or not at all."""

import fcntl

import pytest

from serving.files import new_file
from tests.serving.batch.files import left_behind


def test_a_file_comes_into_place_when_the_block_has_ended(tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("old")
    with new_file(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
        assert len(left_behind(tmp_path)) == 1
    assert path.read_text() == "new"
    assert [found.name for found in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_everything_as_it_was(tmp_path, error):
    path = tmp_path / "out.csv"
    path.write_text("old")
    with pytest.raises(error), new_file(path) as file:
        _write_and_fail(file, error)
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["out.csv"]


def _write_and_fail(file, error):
    file.write(b"new")
    raise error


def test_a_file_that_is_replaced_keeps_its_rights_and_its_links(tmp_path):
    path, link = tmp_path / "out.csv", tmp_path / "link.csv"
    path.write_text("old")
    path.chmod(0o604)
    link.symlink_to(path)
    with new_file(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o604


def test_a_private_file_is_never_for_everybody(tmp_path):
    path = tmp_path / "keys"
    for before in (None, 0o644):
        if before:
            path.chmod(before)
        with new_file(path, private=True) as file:
            assert (tmp_path / left_behind(tmp_path)[0]).stat().st_mode & 0o007 == 0
            file.write(b"secret")
        assert path.stat().st_mode & 0o007 == 0


def test_what_a_killed_run_left_is_removed_and_what_another_writes_is_not(tmp_path):
    dead, other = tmp_path / ".out.csv.1234.part", tmp_path / ".other.csv.1234.part"
    dead.write_text("half")
    other.write_text("half")
    with (tmp_path / ".out.csv.5678.part").open("xb") as alive:
        fcntl.flock(alive, fcntl.LOCK_EX)
        with new_file(tmp_path / "out.csv"):
            assert not dead.exists()
        assert left_behind(tmp_path) == [".other.csv.1234.part", ".out.csv.5678.part"]


def test_a_folder_in_its_place_is_told_before_anything_is_written(tmp_path):
    (tmp_path / "out.csv").mkdir()
    with (
        pytest.raises(IsADirectoryError),
        new_file(tmp_path / "out.csv"),
    ):
        raise AssertionError("the block is not entered")
