"""Versions on disk: a folder for each digest, and a pointer to the one that answers.

    <store>/current.json
    <store>/versions/<sha256 of model.onnx>/{model.onnx, contract.json, golden.json}
    <store>/versions/<sha256 of model.onnx>/explanation.onnx   where the model has one
    <store>/versions/<sha256 of model.onnx>/version.json   which version it is, and its facts
    <store>/versions/<sha256 of model.onnx>/receipt.json   where a receipt was demanded

A folder comes into place whole, by a rename, and the pointer is replaced in one step: a reader
never sees half of either, and what was good last is still there after a crash.
"""

import os
import re
import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import msgspec

from serving.files import new_file, sync_to_disk
from serving.model.version_files import ModelError, files_in

CURRENT_FILE = "current.json"
VERSION_FILE = "version.json"
RECEIPT_FILE = "receipt.json"
DIGEST = re.compile(r"[0-9a-f]{64}")
LOCK_FILE = ".lock"
DOWNLOAD_PREFIX = ".download-"
KEPT = 5  # versions, so that a way back needs no download


# Digits of ASCII, and few: a version's number goes into headers, labels and file names.
Number = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,18}\Z")]


class Provenance(msgspec.Struct, frozen=True):
    """A version's origin, as far as the registry knows; `metrics` are of its test rows.

    It answers no request, so it is no part of the pointer: whatever stands in it, the version
    can be taken up.
    """

    trained_at: datetime | None = None
    git_commit: str | None = None
    data_digest: str | None = None
    metrics: dict[str, float] = {}


class Version(msgspec.Struct, frozen=True):
    """A version of a registered model, the stage it was found by, and its model's sha256.

    Pointers of earlier releases have further fields, which are passed over.
    """

    name: str
    version: Number
    stage: str
    digest: str

    def __str__(self) -> str:
        return f"{self.name} version {self.version} ({self.stage})"


class _Origin(msgspec.Struct, frozen=True):
    version: Version
    facts: Provenance


def version_dir(store: Path, digest: str) -> Path:
    """Return a digest's folder; raises ModelError for what is no digest (`..` would be a path)."""
    if not DIGEST.fullmatch(digest):
        raise ModelError(f"`{digest[:80]}` is no sha256 digest")
    return store / "versions" / digest


def adopt(store: Path, source: Path, version: Version) -> Path:
    """Copy a verified version's files from `source` into the store and return their folder.

    A folder that is already there under this digest is replaced.
    """
    target = version_dir(store, version.digest)
    incoming = target.parent / f".incoming-{uuid4().hex}"
    incoming.mkdir(parents=True)
    try:
        for path in files_in(source):
            shutil.copyfile(path, incoming / path.name)
            sync_to_disk(incoming / path.name)
        _replace_folder(incoming, target)
    finally:
        shutil.rmtree(incoming, ignore_errors=True)
    return target


def keep_facts(store: Path, version: Version, facts: Provenance) -> None:
    """Write a version's facts beside its files."""
    with new_file(version_dir(store, version.digest) / VERSION_FILE, durable=False) as file:
        file.write(_json(_Origin(version, facts)))


def facts(store: Path, version: Version) -> Provenance:
    """Read a version's facts; none where they are not kept."""
    return _kept_facts(store, version) or Provenance()


def has_facts(store: Path, version: Version) -> bool:
    """True if a version's facts are kept; an earlier release wrote them elsewhere."""
    return _kept_facts(store, version) is not None


def _kept_facts(store: Path, version: Version) -> Provenance | None:
    """Read the facts, None where the file is of another version or cannot be read."""
    try:
        content = (version_dir(store, version.digest) / VERSION_FILE).read_bytes()
        origin = msgspec.json.decode(content, type=_Origin)
    except (OSError, ValueError):
        return None
    return origin.facts if origin.version == version else None


def receipt(store: Path, digest: str) -> bytes:
    """Return the receipt that a version was taken with, empty where there is none."""
    try:
        return (version_dir(store, digest) / RECEIPT_FILE).read_bytes()
    except OSError:
        return b""


def keep_receipt(store: Path, digest: str, content: bytes) -> None:
    """Keep a version's receipt beside it, so that it need not be asked for at each sync.

    Whoever reads it compares its digest: written only in part, it is asked for once more.
    """
    if receipt(store, digest) != content:
        (version_dir(store, digest) / RECEIPT_FILE).write_bytes(content)


def switch(store: Path, version: Version) -> None:
    """Make `version` the one that answers, atomically.

    Raises ModelError where the pointer could not be read back.
    """
    folder = version_dir(store, version.digest)
    if not folder.is_dir():
        raise FileNotFoundError(f"{version} is not in the store {store}")
    pointer = _json(version)
    if _parse(pointer, store / CURRENT_FILE) != version:
        raise ModelError(f"{version} cannot be written as a pointer")
    os.utime(folder)  # the versions in use latest are those that `prune` keeps
    with new_file(store / CURRENT_FILE) as file:
        file.write(pointer)


def current(store: Path) -> Version | None:
    """Read the pointer; None where nothing was ever adopted, ModelError where it is damaged."""
    path = store / CURRENT_FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelError(f"{path} cannot be read as a pointer to a version") from error
    version = _parse(content, path)
    version_dir(store, version.digest)
    return version


def prune(store: Path, current: Version) -> None:
    """Remove all but the latest versions."""
    versions = store / "versions"
    others = [
        path
        for path in versions.iterdir()
        if DIGEST.fullmatch(path.name) and path.name != current.digest
    ]
    others.sort(key=_changed_at, reverse=True)
    for path in others[KEPT - 1 :]:
        _remove(path)


def remove_left_behind(store: Path) -> None:
    """Remove what processes that were killed left behind; for whoever holds the store's lock."""
    for folder in (store, store / "versions"):
        for path in folder.glob(".*-*"):
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _changed_at(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except FileNotFoundError:  # removed by another process
        return time.time()


def _replace_folder(incoming: Path, target: Path) -> None:
    discarded = target.parent / f".discarded-{uuid4().hex}"
    if target.exists():
        target.rename(discarded)
    incoming.rename(target)
    sync_to_disk(target.parent)
    shutil.rmtree(discarded, ignore_errors=True)


def _json(content: Version | _Origin) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n"


def _parse(pointer: bytes, path: Path) -> Version:
    try:
        return msgspec.json.decode(pointer, type=Version)
    except ValueError as error:
        raise ModelError(f"{path} cannot be read as a pointer to a version") from error
