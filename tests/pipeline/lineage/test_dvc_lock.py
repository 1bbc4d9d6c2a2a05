import shutil
import subprocess
import sys
from copy import deepcopy
from hashlib import md5
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from pipeline.errors import PipelineError
from pipeline.files import project_root
from pipeline.lineage.dvc_lock import Lock

STAGES = {
    "preprocess": {
        "cmd": "python -m pipeline preprocess",
        "deps": [{"path": "data.csv", "hash": "md5", "md5": "a" * 32, "size": 1}],
        "params": {"params.yaml": {"seed": 1, "data": {"file": "data.csv"}}},
        "outs": [{"path": "training.csv", "hash": "md5", "md5": "b" * 32, "size": 1}],
    },
    "evaluate": {
        "cmd": "python -m pipeline evaluate",
        "deps": [{"path": "training.csv", "hash": "md5", "md5": "b" * 32, "size": 1}],
        "outs": [{"path": "plots", "hash": "md5", "md5": "c" * 32 + ".dir", "size": 1}],
    },
}


def changed(*path, to):
    stages = deepcopy(STAGES)
    place = stages
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return Lock(stages).fingerprint()


@pytest.mark.parametrize(
    "path",
    [
        ("preprocess", "cmd"),
        ("preprocess", "deps", 0, "md5"),
        ("preprocess", "deps", 0, "path"),
        ("preprocess", "params", "params.yaml", "seed"),
        ("preprocess", "params", "params.yaml", "data", "file"),
        ("evaluate", "deps", 0, "md5"),
    ],
)
def test_the_fingerprint_changes_with_what_goes_in(path):
    assert changed(*path, to="other") != Lock(STAGES).fingerprint()


@pytest.mark.parametrize(
    "path",
    [
        ("preprocess", "outs", 0, "md5"),
        ("evaluate", "outs"),
        ("preprocess", "deps", 0, "size"),
    ],
)
def test_the_fingerprint_does_not_change_with_what_comes_out(path):
    assert changed(*path, to="other") == Lock(STAGES).fingerprint()


def test_the_fingerprint_does_not_depend_on_the_order_of_keys():
    stages = {name: dict(reversed(STAGES[name].items())) for name in reversed(STAGES)}
    assert Lock(stages).fingerprint() == Lock(STAGES).fingerprint()
    assert len(Lock(STAGES).fingerprint()) == 64


@pytest.fixture
def lock_file(tmp_path):
    path = tmp_path / "dvc.lock"
    YAML().dump({"schema": "2.0", "stages": STAGES}, path)
    return path


def test_the_stages_asked_for_are_read(lock_file):
    assert Lock.read(lock_file, ["evaluate"]).stages == {"evaluate": STAGES["evaluate"]}
    assert Lock.read(lock_file, list(STAGES)) == Lock(STAGES)


@pytest.mark.parametrize("content", [None, "", "schema: '2.0'\n", "stages: {}\n", "stages:\n"])
def test_a_lock_without_every_stage_says_what_to_run(lock_file, content):
    lock_file.unlink() if content is None else lock_file.write_text(content)
    with pytest.raises(PipelineError, match=r"does not have every stage: run `dvc repro`"):
        Lock.read(lock_file, ["preprocess"])


def test_a_lock_with_a_merge_conflict_says_what_to_do(lock_file):
    lock_file.write_text("<<<<<<< ours\nstages:\n=======\nstages: {}\n>>>>>>> theirs\n")
    with pytest.raises(PipelineError, match="git at line 1: `git checkout --theirs "):
        Lock.read(lock_file, ["preprocess"])


def test_the_digest_of_a_file_is_the_locks():
    lock = Lock(STAGES)
    assert lock.md5(Path("training.csv")) == "b" * 32
    assert lock.md5(Path("data.csv")) == "a" * 32
    with pytest.raises(PipelineError, match=r"does not know other\.csv: run `dvc repro`"):
        lock.md5(Path("other.csv"))


def test_a_path_may_be_written_in_another_form():
    lock = Lock(STAGES)
    assert lock.md5(Path("sub/../data.csv")) == "a" * 32
    assert lock.md5(Path("data.csv").absolute()) == "a" * 32


def lock_of(path, digest):
    return Lock({"stage": {"cmd": "", "outs": [{"path": path.as_posix(), "md5": digest}]}})


def test_a_file_that_was_changed_is_noticed(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"a,b\r\n1,2\r\n")
    lock = lock_of(path, md5(b"a,b\r\n1,2\r\n").hexdigest())
    lock.check_unchanged(path)
    path.write_bytes(b"a,b\n1,2\n")
    with pytest.raises(PipelineError, match=r"table\.csv is not what dvc\.lock records of it"):
        lock.check_unchanged(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "table.csv"
    with pytest.raises(PipelineError, match=r"table\.csv cannot be read: run `dvc repro`"):
        lock_of(path, "0").check_unchanged(path)


FILES = {
    "b.txt": b"b\r\n",
    "a.txt": b"a",
    "a/z.bin": bytes(range(256)),
    "a/deep/er/ö.csv": b"",
    "a-b": b"between a.txt and a/z.bin, by name or by folder",
    "Z": b"capital",
    ".hidden": b"dot",
}


@pytest.fixture(scope="module")
def added(tmp_path_factory):
    """A folder with the digest that DVC itself gives it."""
    root = tmp_path_factory.mktemp("dvc")
    folder = root / "folder"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    dvc = [sys.executable, "-m", "dvc"]
    for arguments in (["init", "--no-scm", "-q"], ["add", "-q", "folder"]):
        subprocess.run([*dvc, *arguments], cwd=root, check=True)
    (out,) = YAML(typ="safe").load((root / "folder.dvc").read_text())["outs"]
    return folder, out["md5"]


def test_a_folders_digest_is_dvcs_own(added):
    folder, digest = added
    assert digest.endswith(".dir")
    lock_of(folder, digest).check_unchanged(folder)


def change_a_byte(folder):
    (folder / "a" / "z.bin").write_bytes(b"x")


def add_a_file(folder):
    (folder / "a" / "new").touch()


def rename_a_file(folder):
    (folder / "Z").rename(folder / "Y")


def remove_a_file(folder):
    (folder / "b.txt").unlink()


@pytest.mark.parametrize("change", [change_a_byte, add_a_file, rename_a_file, remove_a_file])
def test_a_folder_that_was_changed_is_noticed(added, tmp_path, change):
    folder, digest = added
    copy = tmp_path / "folder"
    shutil.copytree(folder, copy)
    lock_of(copy, digest).check_unchanged(copy)
    change(copy)
    with pytest.raises(PipelineError, match=r"folder is not what dvc\.lock records of it"):
        lock_of(copy, digest).check_unchanged(copy)


def test_a_file_in_the_place_of_a_folder_is_noticed(added, tmp_path):
    _, digest = added
    (tmp_path / "folder").write_text("file")
    with pytest.raises(PipelineError, match="is not what"):
        lock_of(tmp_path / "folder", digest).check_unchanged(tmp_path / "folder")


def test_the_project_is_where_dvc_was_started(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert project_root() == tmp_path.resolve()
    monkeypatch.setenv("DVC_ROOT", "")
    assert project_root() == tmp_path.resolve()
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "elsewhere"))
    assert project_root() == (tmp_path / "elsewhere").resolve()
