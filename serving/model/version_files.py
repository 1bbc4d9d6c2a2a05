"""The files of a version: their names, and how one digest stands for all of them.

This is what the registry, the store and the scorer have to agree on.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

MODEL_FILE = "model.onnx"
CONTRACT_FILE = "contract.json"
GOLDEN_FILE = "golden.json"
EXPLANATION_FILE = "explanation.onnx"  # versions of earlier releases have none
FILES = (MODEL_FILE, CONTRACT_FILE, GOLDEN_FILE, EXPLANATION_FILE)

DIGEST_TAG = "digest"  # of a registered version: the sha256 of its model.onnx
# In the graph's metadata, so that the model's own digest covers these files as well.
CONTRACT_DIGEST_KEY = "contract_sha256"
EXPLANATION_DIGEST_KEY = "explanation_sha256"


class ModelError(Exception):
    """A version that must not answer, with the reason in one sentence."""


def files_in(directory: Path) -> list[Path]:
    """Return the files of the version in `directory`, without one that it need not have."""
    paths = [directory / name for name in FILES]
    return [path for path in paths if path.name != EXPLANATION_FILE or path.exists()]


def digest_of(content: bytes) -> str:
    return sha256(content).hexdigest()


def read_file(path: Path) -> bytes:
    """Read one of the files; raises ModelError where it is not there."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror}") from error


def read_if_there(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def decode(name: str, content: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise ModelError(f"{name} does not parse: {error}") from error
