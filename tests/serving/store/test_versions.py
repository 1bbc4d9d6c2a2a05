"""The store: whole versions, one pointer, no way out of the folder."""

import os
import time

import pytest

from serving.model.scorer import Scorer
from serving.model.version_files import ModelError
from serving.predictor import load_served
from serving.store import sync_status, versions
from serving.store.sync_status import Status
from serving.store.versions import Version


def version_of(digest: str, number: str = "1") -> Version:
    return Version("heart", number, "production", digest)


def test_an_empty_store_has_no_current_version(tmp_path):
    assert versions.current(tmp_path / "store") is None


def test_what_is_adopted_can_be_loaded_and_pointed_to(make_model, tmp_path):
    version = version_of(make_model(tmp_path / "made"))
    folder = versions.adopt(tmp_path / "store", tmp_path / "made", version)
    versions.switch(tmp_path / "store", version)
    assert folder == tmp_path / "store" / "versions" / version.digest
    assert Scorer.load(folder, version.digest).digest == version.digest
    assert versions.current(tmp_path / "store") == version


def test_adopting_leaves_the_pointer_alone(stored, settings, make_model, tmp_path):
    other = version_of(make_model(tmp_path / "other", bias=1.0), "2")
    versions.adopt(settings.store, tmp_path / "other", other)
    assert versions.current(settings.store) == stored


def test_only_the_versions_own_files_are_taken(make_model, tmp_path):
    version = version_of(make_model(tmp_path / "made"))
    (tmp_path / "made" / "python_model.pkl").write_bytes(b"code")
    folder = versions.adopt(tmp_path / "store", tmp_path / "made", version)
    assert not (folder / "python_model.pkl").exists()


def test_a_copy_that_breaks_off_leaves_nothing(make_model, tmp_path):
    version = version_of(make_model(tmp_path / "made"))
    (tmp_path / "made" / "golden.json").unlink()
    with pytest.raises(FileNotFoundError):
        versions.adopt(tmp_path / "store", tmp_path / "made", version)
    assert list((tmp_path / "store" / "versions").iterdir()) == []


def test_adopting_again_replaces_the_folder(stored, settings, tmp_path):
    model = versions.version_dir(settings.store, stored.digest) / "model.onnx"
    model.write_bytes(b"damaged")
    versions.adopt(settings.store, tmp_path / "made", stored)
    assert model.read_bytes() == (tmp_path / "made" / "model.onnx").read_bytes()
    assert [p.name for p in model.parent.parent.iterdir()] == [stored.digest]


def test_the_pointer_is_replaced_not_rewritten(stored, settings, make_model, tmp_path):
    """A reader that has the old pointer open goes on seeing all of it."""
    other = version_of(make_model(tmp_path / "other", bias=1.0), "2")
    versions.adopt(settings.store, tmp_path / "other", other)
    with (settings.store / "current.json").open() as opened:
        versions.switch(settings.store, other)
        assert stored.digest in opened.read()
    assert versions.current(settings.store) == other
    assert sorted(p.name for p in settings.store.iterdir()) == ["current.json", "versions"]


def test_a_version_that_is_not_there_is_not_pointed_to(stored, settings):
    with pytest.raises(FileNotFoundError, match="is not in the store"):
        versions.switch(settings.store, version_of("0" * 64))
    assert versions.current(settings.store) == stored


BAD_DIGESTS = ["", "..", "../" * 20 + "etc", "a" * 63, "A" * 64, "a" * 64 + "\n", "/" + "a" * 63]


@pytest.mark.parametrize("digest", BAD_DIGESTS)
def test_what_is_no_digest_is_no_folder(make_model, settings, tmp_path, digest):
    make_model(tmp_path / "made")
    with pytest.raises(ModelError, match="is no sha256 digest"):
        versions.version_dir(settings.store, digest)
    with pytest.raises(ModelError):
        versions.adopt(settings.store, tmp_path / "made", version_of(digest))
    with pytest.raises(ModelError):
        versions.switch(settings.store, version_of(digest))
    assert not settings.store.exists()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b'{"name":"heart","version":"1","stage":"production"}',
        b'{"name":"heart","version":"1","stage":"production","digest":"../../x"}',
        b'{"name":"heart","version":"1\\n","stage":"production","digest":"%s"}' % (b"a" * 64),
        b'{"name":"heart","version":"","stage":"production","digest":"%s"}' % (b"a" * 64),
        b"\xff",
    ],
)
def test_a_damaged_pointer_is_refused(settings, text):
    settings.store.mkdir()
    (settings.store / "current.json").write_bytes(text)
    with pytest.raises(ModelError):
        versions.current(settings.store)


def test_where_a_version_comes_from_is_kept_beside_it(settings, stored):
    facts = versions.Provenance(git_commit="abc", metrics={"test_auc": 0.5})
    assert versions.facts(settings.store, stored) == versions.Provenance()
    versions.keep_facts(settings.store, stored, facts)
    assert versions.facts(settings.store, stored) == facts
    assert versions.facts(settings.store, version_of(stored.digest, "2")) == versions.Provenance()


def test_facts_that_cannot_be_read_back_leave_the_version_answering(settings, stored):
    spoilt = versions.Provenance(metrics={"test_auc": float("nan")})
    versions.keep_facts(settings.store, stored, spoilt)
    versions.switch(settings.store, stored)
    served = load_served(settings)
    assert (served.version, served.facts) == (stored, versions.Provenance())


def test_a_pointer_of_an_earlier_release_is_read(settings, stored):
    path = settings.store / "current.json"
    path.write_bytes(path.read_bytes().replace(b"{", b'{"facts": {"metrics": {"a": null}},', 1))
    assert versions.current(settings.store) == stored


def test_a_pointer_that_could_not_be_read_back_is_not_written(settings, stored):
    with pytest.raises(ModelError):
        versions.switch(settings.store, version_of(stored.digest, "7é"))
    assert versions.current(settings.store) == stored


def filled(folder, count: int) -> list[Version]:
    """Make folders of versions, the last one used last."""
    made = [version_of(f"{number:064x}", str(number)) for number in range(count)]
    for age, version in enumerate(reversed(made)):
        path = versions.version_dir(folder, version.digest)
        path.mkdir(parents=True)
        (path / "model.onnx").write_bytes(b"x")
        os.utime(path, (time.time() - 86_400 * age,) * 2)
    return made


def kept(folder) -> set[str]:
    return {path.name for path in (folder / "versions").iterdir()}


def test_the_versions_used_last_are_kept_for_a_way_back(tmp_path):
    made = filled(tmp_path, 8)
    versions.prune(tmp_path, made[-1])
    assert kept(tmp_path) == {version.digest for version in made[-5:]}


def test_the_current_version_is_kept_however_old_it_is(tmp_path):
    made = filled(tmp_path, 8)
    versions.prune(tmp_path, made[0])
    assert kept(tmp_path) == {version.digest for version in [made[0], *made[-4:]]}


def test_a_version_that_is_switched_to_is_the_one_used_last(tmp_path):
    made = filled(tmp_path, 8)
    versions.switch(tmp_path, made[0])
    versions.prune(tmp_path, made[-1])
    assert kept(tmp_path) == {version.digest for version in [made[0], *made[-4:]]}


def test_few_versions_are_all_kept(tmp_path):
    made = filled(tmp_path, 5)
    versions.prune(tmp_path, made[2])
    assert len(kept(tmp_path)) == 5


def test_what_a_killed_process_left_behind_is_removed(tmp_path):
    (current,) = filled(tmp_path, 1)
    sync_status.write(tmp_path, Status("updated", "", 1.0))
    left = [".download-x", "versions/.incoming-x", "versions/.discarded-x"]
    for name in left:
        (tmp_path / name / "below").mkdir(parents=True)
        (tmp_path / name / "below/model.onnx").write_bytes(b"x")
    (tmp_path / ".lock").touch()
    versions.remove_left_behind(tmp_path)
    assert not any((tmp_path / name).exists() for name in left)
    assert {path.name for path in tmp_path.iterdir()} == {".lock", "sync.json", "versions"}
    assert kept(tmp_path) == {current.digest}
