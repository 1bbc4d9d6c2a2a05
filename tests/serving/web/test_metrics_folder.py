"""The folder of the metrics: held while its service lives, and removed after it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serving.web import metrics_folder
from tests.conftest import ROOT

HOLDER = """
import os, sys, time
from pathlib import Path
from serving.web import metrics_folder
metrics_folder.make(Path(sys.argv[1]))
if os.fork() == 0:  # a worker
    os.write(1, b"ready")
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / f"{metrics_folder.PREFIX}1"


def test_a_folder_is_removed_once_nobody_holds_it(path):
    """Neither the master nor one of its workers, whatever killed them."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.read(5) == b"ready"
        (path / "counter_1.db").write_bytes(b"x")
        metrics_folder.remove_dead(path.parent)
        assert path.is_dir()
        holder.kill()
        holder.wait()
        metrics_folder.remove_dead(path.parent)
        assert path.is_dir(), "its worker lives"
        os.killpg(holder.pid, signal.SIGKILL)
        holder.stdout.read()
    metrics_folder.remove_dead(path.parent)
    assert list(path.parent.iterdir()) == []


def test_other_files_and_folders_stay(tmp_path):
    (tmp_path / "others").mkdir()
    (tmp_path / f"{metrics_folder.PREFIX}link").symlink_to(tmp_path / "others")
    (tmp_path / f"{metrics_folder.PREFIX}file").touch()
    metrics_folder.remove_dead(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_of_two_workers_that_make_it_anew_one_does(path):
    metrics_folder.make(path)
    (path / "counter_1.db").touch()
    metrics_folder.make(path)
    assert [found.name for found in path.parent.iterdir()] == [path.name]
    assert (path / "counter_1.db").exists()


def test_a_folder_that_cannot_be_made_is_an_error(path):
    path.touch()
    with pytest.raises(OSError, match="Not a directory"):
        metrics_folder.make(path)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("blocks", "free", "room"), [(0, 0, True), (9, 255, False), (9, 256, True)]
)
def test_room_is_a_mebibyte_or_no_limit(tmp_path, monkeypatch, blocks, free, room):
    found = os.statvfs(tmp_path)
    fields = [*found]
    fields[1:5] = 4096, blocks, free, free
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result(fields))
    assert metrics_folder.has_room(tmp_path) is room
