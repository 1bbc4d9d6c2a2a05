"""The receipt of a version's gates: what was judged, by which figures, and with which verdict.

Written by the pipeline as an artifact of the version, and checked by the service before it takes
the version. Its sha256 is a tag of the version; with a key, a second tag signs it.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Literal

import msgspec

from serving.model.version_files import DIGEST_TAG, ModelError
from serving.receipts.signing import KEY_VARIABLE, is_signature

RECEIPT_TAG = "receipt"  # of a registered version: the sha256 of its receipt
SIGNATURE_TAG = "receipt.signature"
FOLDER = "receipts"  # among the version's artifacts; one may be judged more than once

Verdict = Literal["passed", "failed", "forced"]


class Gate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One gate's judgement: which figure was held to which bound, and whether it holds."""

    gate: str
    passed: bool
    sentence: str
    figure: float | None = None
    bound: float | None = None

    def __str__(self) -> str:
        return f"{'✓' if self.passed else '✗'} {self.gate}: {self.sentence}"


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All gates of one version. `inputs` names what went in by digest: the rows, the bounds, ...

    `forced_by` and `reason` say who let a version pass that the gates had stopped, and why.
    """

    schema_version: Literal[1] = 1
    model: str
    digest: str
    inputs: dict[str, str]
    gates: tuple[Gate, ...]
    verdict: Verdict
    forced_by: str = ""
    reason: str = ""

    def to_json(self) -> bytes:
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class Demands(msgspec.Struct, frozen=True):
    """Demands on a version beside being whole; without a key no signature is checked."""

    gates: bool = True
    allow_forced: bool = False
    key: bytes | None = None

    def __repr__(self) -> str:
        """Name the demands without giving the key away."""
        key = sha256(self.key).hexdigest()[:8] if self.key else "none"
        return f"gates={self.gates} allow_forced={self.allow_forced} key={key}"


def digest_of(content: bytes) -> str:
    return sha256(content).hexdigest()


def path_of(receipt_digest: str) -> str:
    """Return a receipt's place among the artifacts of its version."""
    return f"{FOLDER}/{receipt_digest}.json"


def check_tags(tags: Mapping[str, str], demands: Demands) -> str:
    """Return the digest of a version's receipt, "" where none is demanded.

    Raises ModelError where there is none, and where it is not signed with the key.
    """
    if not demands.gates and demands.key is None:
        return ""
    receipt_digest = tags.get(RECEIPT_TAG, "")
    if not receipt_digest:
        raise ModelError(
            "it has no receipt that its gates passed "
            "(`dvc repro` writes one; SERVING_REQUIRE_GATES=0 takes it as it is)"
        )
    if demands.key is not None:
        signature = tags.get(SIGNATURE_TAG, "")
        if not signature:
            raise ModelError(
                f"it is not signed (promote it where {KEY_VARIABLE} is set as it is here)"
            )
        if not is_signature(signature, demands.key, receipt_digest, tags.get(DIGEST_TAG, "")):
            raise ModelError(f"its signature was not made with the {KEY_VARIABLE} that is set here")
    return receipt_digest


def parse_receipt(content: bytes) -> Receipt:
    """Read a receipt unchecked; raises ModelError where it is none."""
    try:
        return msgspec.json.decode(content, type=Receipt)
    except msgspec.DecodeError as error:
        raise ModelError(f"its receipt does not parse: {error}") from error


def check_receipt(
    content: bytes, tags: Mapping[str, str], *, model: str, demands: Demands
) -> Receipt:
    """Read a receipt, and hold it to the version's tags and to what is demanded.

    Raises ModelError where it was changed, is of another model, or its verdict does not do.
    """
    if digest_of(content) != tags.get(RECEIPT_TAG):
        raise ModelError("its receipt is not the one that the registry names")
    receipt = parse_receipt(content)
    if (receipt.model, receipt.digest) != (model, tags.get(DIGEST_TAG)):
        raise ModelError("its receipt is of another model")
    if demands.gates:
        _check_verdict(receipt, demands)
    return receipt


def _check_verdict(receipt: Receipt, demands: Demands) -> None:
    if receipt.verdict == "forced" and not demands.allow_forced:
        raise ModelError(
            f"{receipt.forced_by} forced it past its gates: {receipt.reason} "
            "(SERVING_ALLOW_FORCED=1 takes it)"
        )
    if receipt.verdict == "failed":
        names = ", ".join(gate.gate for gate in receipt.gates if not gate.passed)
        raise ModelError(
            f"its gates did not pass: {names} (SERVING_REQUIRE_GATES=0 takes it nevertheless)"
        )
