"""Receipts of a version's gates, kept beside the version and named by a tag of it."""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.artifacts import download_artifacts
from mlflow.exceptions import MlflowException

from pipeline.errors import PipelineError, one_line
from pipeline.registry.versions import LOGGED_MODEL, tags_of
from pipeline.tracking.experiment import Tracking
from serving.model.version_files import ModelError
from serving.receipts.receipt import (
    RECEIPT_TAG,
    SIGNATURE_TAG,
    Demands,
    Receipt,
    check_receipt,
    check_tags,
    digest_of,
    path_of,
)
from serving.receipts.signing import sign, signing_key


def read_key() -> bytes | None:
    """Return the key to sign with, None where none is set."""
    try:
        return signing_key(os.environ)
    except ValueError as error:
        raise PipelineError(str(error)) from error


VERDICT_TAG = "gates"  # the receipt's verdict, to search by


def keep_receipt(
    tracking: Tracking, name: str, number: str, receipt: Receipt, key: bytes | None
) -> str:
    """Put a receipt among the version's artifacts, then name it in its tags; return its digest.

    With a key it is signed together with the model that it is of.
    """
    content = receipt.to_json()
    digest = digest_of(content)
    version = tracking.client.get_model_version(name, number)
    model_id = str(version.source or "").removeprefix(LOGGED_MODEL)
    if not model_id.startswith("m-"):
        raise PipelineError(
            f"version {number} of {name} was not registered by `dvc repro`: "
            "it has no place for a receipt"
        )
    with TemporaryDirectory() as folder:
        path = Path(folder, path_of(digest))
        path.parent.mkdir()
        path.write_bytes(content)
        tracking.client.log_model_artifacts(model_id, folder)
    signature = "" if key is None else sign(key, digest, receipt.digest)
    name_receipt(tracking, name, number, receipt, digest, signature)
    return digest


def name_receipt(
    tracking: Tracking, name: str, number: str, receipt: Receipt, digest: str, signature: str
) -> None:
    """Let a version's tags name one of the receipts among its artifacts."""
    now = tags_of(tracking, name, number)
    tags = {RECEIPT_TAG: digest, VERDICT_TAG: receipt.verdict, SIGNATURE_TAG: signature}
    for tag, value in tags.items():
        if value and now.get(tag) != value:
            tracking.client.set_model_version_tag(name, number, tag, value)


def receipt_of(
    tracking: Tracking,
    name: str,
    number: str,
    key: bytes | None,
    named: Mapping[str, str] | None = None,
) -> tuple[Receipt, str]:
    """Read a version's receipt and check it as the service would, whatever its verdict.

    Gives its digest as well. `named` are tags that name another receipt than the version's own do.

    Raises ModelError where there is none, it was changed, or it is not signed with the key.
    """
    tags = {**tags_of(tracking, name, number), **(named or {})}
    digest = tags.get(RECEIPT_TAG, "")
    if not digest:
        raise ModelError("it has no receipt")
    demands = Demands(gates=False, key=key)
    check_tags(tags, demands)
    address = f"models:/{name}/{number}/{path_of(digest)}"
    with TemporaryDirectory() as folder:
        try:
            content = Path(download_artifacts(address, dst_path=folder)).read_bytes()
        except (MlflowException, OSError, ImportError) as error:
            raise ModelError(f"its receipt cannot be downloaded: {one_line(error)}") from error
    return check_receipt(content, tags, model=name, demands=demands), digest
