"""The keys file: its format, every mistake in it, and the commands that write it."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from serving.__main__ import main
from serving.web.keys import Key, KeysError, Role, find, new_key, read_keys, write_keys

HASH = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of foo
EXPECTED = "expected a name, its roles, and the sha256 of the key"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys"


def test_a_line_is_a_name_its_roles_and_a_hash(path):
    path.write_text(f"# who may ask\n\nfrontend predict {HASH}\n  p-1.b  metrics,predict  {HASH}\n")
    assert read_keys(path) == [
        Key("frontend", frozenset({Role.PREDICT}), HASH),
        Key("p-1.b", frozenset({Role.PREDICT, Role.METRICS}), HASH),
    ]


def test_an_empty_file_lets_nobody_in(path):
    path.write_text("")
    assert read_keys(path) == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("frontend", EXPECTED),
        ("frontend predict", EXPECTED),
        (f"frontend predict {HASH} more", EXPECTED),
        (f"frontend predict {HASH[:-1]}", EXPECTED),
        (f"frontend predict {HASH.upper()}", EXPECTED),
        ("frontend predict hunter2hunter2", EXPECTED),
        (f"-frontend predict {HASH}", EXPECTED),
        (f"{'a' * 65} predict {HASH}", EXPECTED),
        (f"frontend admin {HASH}", "the roles are predict, metrics, with commas between them"),
        (f"frontend predict, {HASH}", "the roles are predict, metrics, with commas between them"),
        (f"first predict {HASH}", "there is a key `first` above"),
    ],
)
def test_a_mistake_is_one_sentence_with_its_line_and_shows_no_key(path, line, reason):
    path.write_text(f"# a comment counts\nfirst metrics {HASH}\n{line}\n")
    with pytest.raises(KeysError) as raised:
        read_keys(path)
    assert str(raised.value) == f"{path}, line 3: {reason}"


def test_a_file_that_is_not_there_is_told_with_what_makes_one(path):
    with pytest.raises(KeysError) as raised:
        read_keys(path)
    assert str(raised.value) == (
        f"the keys file {path} cannot be read: No such file or directory; "
        "`python -m serving keys add NAME --role predict` makes one"
    )


def test_a_file_that_is_no_text_is_told(path):
    path.write_bytes(b"frontend predict \xff\xfe")
    with pytest.raises(KeysError, match="cannot be read: it is no text"):
        read_keys(path)


def test_what_is_written_is_read_and_is_its_owners_alone(path):
    keys = [new_key("a", [Role.PREDICT])[1], new_key("b", list(Role))[1]]
    mask = os.umask(0)
    try:
        write_keys(path.parent / "new" / "keys", keys)
    finally:
        os.umask(mask)
    written = path.parent / "new" / "keys"
    assert read_keys(written) == keys
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert [file.name for file in written.parent.iterdir()] == ["keys"]


def test_a_file_that_everyone_could_read_is_not_left_so(path):
    path.write_text("")
    path.chmod(0o644)
    write_keys(path, [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_group_that_the_service_runs_in_still_reads_it_and_a_link_stays_one(path):
    target = path.with_name("elsewhere")
    target.write_text("")
    target.chmod(0o640)
    path.symlink_to(target)
    write_keys(path, [])
    assert path.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert target.read_text().startswith("# name")


def test_each_key_finds_its_own_and_a_wrong_one_nothing(path):
    made = [new_key(f"key-{n}", [Role.PREDICT]) for n in range(5)]
    keys = [key for _, key in made]
    for secret, key in made:
        assert find(keys, secret.encode()) == key
    for wrong in (b"", b"wrong", made[0][0].encode() + b" ", keys[0].sha256.encode(), b"\xff\xfe"):
        assert find(keys, wrong) is None
    assert find([], made[0][0].encode()) is None


def test_keys_differ_and_cannot_be_guessed():
    secrets = {new_key("a", [Role.PREDICT])[0] for _ in range(100)}
    assert len(secrets) == 100
    assert min(map(len, secrets)) >= 43  # 256 bits in base64


@pytest.mark.parametrize("name", ["", "a b", "-a", "a\n", "a#", "é", "a" * 65])
def test_a_name_that_the_file_could_not_hold_is_refused(name):
    with pytest.raises(KeysError, match="is no name for a key"):
        new_key(name, [Role.PREDICT])


@pytest.fixture
def command(path, monkeypatch, capsys):
    """Run `python -m serving keys ...`; gives code, stdout and stderr."""
    monkeypatch.setenv("SERVING_API_KEYS_FILE", str(path))

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["keys", *words])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def test_a_key_is_printed_once_and_only_its_hash_is_kept(command, path):
    code, secret, told = command("add", "frontend")
    assert code == 0
    assert told == f"{path}: `frontend` may predict. The key:\n"
    assert secret.count("\n") == 1
    secret = secret.strip()
    key = find(read_keys(path), secret.encode())
    assert key == Key("frontend", frozenset({Role.PREDICT}), sha256(secret.encode()).hexdigest())
    assert secret not in path.read_text()


def test_keys_are_added_behind_the_others_with_the_roles_given(command, path):
    command("add", "frontend")
    code, _, told = command("add", "both", "--role", "predict", "--role", "metrics")
    assert code == 0
    assert "`both` may metrics and predict" in told
    assert command("list") == (0, "frontend  predict\nboth  metrics,predict\n", "")


def test_a_removed_key_is_no_key(command, path):
    _, secret, _ = command("add", "frontend")
    command("add", "other")
    assert command("remove", "frontend") == (0, "", f"{path}: `frontend` is removed.\n")
    assert find(read_keys(path), secret.strip().encode()) is None
    assert command("list")[1] == "other  predict\n"


def test_changes_at_once_are_all_made(command, path):
    for n in range(8):
        command("add", f"old-{n}")
    with ThreadPoolExecutor(8) as threads:
        changes = [["add", f"new-{n}"] for n in range(8)]
        changes += [["remove", f"old-{n}"] for n in range(8)]
        assert set(threads.map(lambda words: main(["keys", *words]), changes)) == {0}
    assert sorted(key.name for key in read_keys(path)) == [f"new-{n}" for n in range(8)]


def test_a_file_that_cannot_be_written_is_told(command, path):
    path.mkdir()
    code, told, error = command("add", "a")
    assert (code, told) == (1, "")
    assert error.startswith(f"Error: the keys file {path} cannot be read: Is a directory")
    path.rmdir()
    path.with_name("file").write_text("")
    path.symlink_to(path.with_name("file") / "keys")
    code, told, error = command("add", "a")
    assert (code, told) == (1, "")
    assert error == f"Error: the keys file {path} cannot be written: File exists\n"


def test_a_name_that_is_taken_is_refused_and_its_key_stays(command, path):
    command("add", "frontend")
    before = path.read_text()
    assert command("add", "frontend") == (
        1,
        "",
        f"Error: {path} has a key `frontend` already; remove it first.\n",
    )
    assert path.read_text() == before


def test_a_name_that_is_not_there_cannot_be_removed(command, path):
    command("add", "frontend")
    assert command("remove", "backend") == (1, "", f"Error: {path} has no key `backend`.\n")


@pytest.mark.parametrize("words", [["list"], ["remove", "a"]])
def test_without_a_file_there_is_nothing_to_list_or_to_remove(command, path, words):
    code, told, error = command(*words)
    assert (code, told) == (1, "")
    assert error.startswith(f"Error: the keys file {path} cannot be read: No such file")
    assert not path.exists()


def test_a_bad_name_or_role_makes_no_file(command, path):
    code, _, error = command("add", "a b")
    assert (code, error.count("\n")) == (1, 1)
    code, _, error = command("add", "a", "--role", "admin")
    assert code == 2
    assert "'admin' is not one of 'predict', 'metrics'" in error
    assert not path.exists()


def test_a_file_with_a_mistake_is_not_written_over(command, path):
    path.write_text("half a line\n")
    assert command("add", "a")[0] == 1
    assert path.read_text() == "half a line\n"


def test_without_the_setting_the_command_says_which(monkeypatch, capsys):
    monkeypatch.delenv("SERVING_API_KEYS_FILE", raising=False)
    assert main(["keys", "list"]) == 1
    told = capsys.readouterr().err
    assert told == "Error: Set SERVING_API_KEYS_FILE to the file that holds the keys.\n"
