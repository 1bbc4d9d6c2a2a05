"""One verified version of the model in memory: the ONNX graph, its contract and its identity.

The pipeline's evaluation scores through this class too, so that the figures are those of the code
that answers.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime

from serving.model.contract import Contract, FloatMatrix
from serving.model.rows import to_matrix
from serving.model.validation import InvalidRowsError

MODEL_FILE = "model.onnx"
CONTRACT_FILE = "contract.json"
GOLDEN_FILE = "golden.json"
GOLDEN_TOLERANCE = 1e-5
CHUNK = 256  # rows that are scored at once
INPUT = "features"
OUTPUTS = ["label", "probability"]
CONTRACT_DIGEST_KEY = "contract_sha256"  # in the graph's metadata
DIGEST_TAG = "digest"  # of a registered version: the sha256 of its model.onnx

Answers = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


class ModelError(Exception):
    """A version that must not answer, with the reason in one sentence."""


class Prediction(msgspec.Struct, frozen=True):
    label: int
    probability: float


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows with the answers that the model gave when it was made."""

    rows: list[dict[str, float | str | None]]
    predictions: list[Prediction]


class Scorer:
    """Rows of numbers in, labels and probabilities out."""

    def __init__(
        self, session: onnxruntime.InferenceSession, contract: Contract, digest: str, size: int = 0
    ) -> None:
        self._session = session
        self.contract = contract
        self.digest = digest
        self.size = size  # bytes of model.onnx

    @classmethod
    def open(cls, model: bytes, contract_json: bytes) -> "Scorer":
        """Open an ONNX model beside its contract.

        Raises ModelError where either does not parse or they do not belong together.
        """
        contract = _decode(CONTRACT_FILE, contract_json, Contract)
        session = open_session(model)
        _check_contract(session, contract, sha256(contract_json).hexdigest())
        return cls(session, contract, sha256(model).hexdigest(), len(model))

    @classmethod
    def load(cls, directory: Path, expected_digest: str | None = None) -> "Scorer":
        """Load and verify the version in `directory` (model.onnx, contract.json, golden.json).

        Raises ModelError where a file is missing or unreadable, the model's sha256 is not
        `expected_digest`, the contract is not the one the model was made with, the graph does not
        fit it, or the golden predictions come out otherwise; OSError where reading fails for
        reasons of the machine, which say nothing of the version.
        """
        model, contract_json, golden_json = (
            _read(directory / name) for name in (MODEL_FILE, CONTRACT_FILE, GOLDEN_FILE)
        )
        digest = sha256(model).hexdigest()
        if expected_digest is not None and digest != expected_digest:
            raise ModelError(
                f"{MODEL_FILE} has the sha256 {digest}, the registry says {expected_digest}"
            )
        scorer = cls.open(model, contract_json)
        scorer._check_golden(_decode(GOLDEN_FILE, golden_json, Golden))
        return scorer

    def score(self, values: FloatMatrix) -> Answers:
        """Answer for `[rows, features]` in the contract's order, NaN where a value is missing.

        Returns the labels `[rows]` and the probabilities of the positive class `[rows]`;
        a label is 1 exactly where the probability is at least the contract's threshold.
        """
        return run_session(self._session, values)

    def _check_golden(self, golden: Golden) -> None:
        if not golden.rows or len(golden.rows) != len(golden.predictions):
            raise ModelError(f"{GOLDEN_FILE} does not give one prediction for each of its rows")
        try:
            labels, probabilities = self.score(to_matrix(self.contract, golden.rows))
        except InvalidRowsError as error:
            raise ModelError(f"{GOLDEN_FILE} breaks the contract: {error}") from error
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise ModelError(f"{MODEL_FILE} cannot answer the rows of {GOLDEN_FILE}") from error
        if not labels.shape == probabilities.shape == (len(golden.rows),):
            raise ModelError(f"{MODEL_FILE} does not give one label and probability for each row")
        for row, (want, label, got) in enumerate(
            zip(golden.predictions, labels, probabilities, strict=True)
        ):
            close = abs(want.probability - float(got)) <= GOLDEN_TOLERANCE
            if not close or want.label != label:
                raise ModelError(
                    f"golden row {row + 1} is answered with {label} ({got:.6f}) "
                    f"instead of {want.label} ({want.probability:.6f})"
                )


def run_session(session: onnxruntime.InferenceSession, values: FloatMatrix) -> Answers:
    """Return `Scorer.score` for an open session alone, which is all that a distant worker has."""
    if len(values) <= CHUNK:
        label, probability = session.run(OUTPUTS, {INPUT: values})
        return label, probability
    # A kernel of all rows would outgrow the processor's cache, and stay in memory.
    chunks = [run_session(session, values[i : i + CHUNK]) for i in range(0, len(values), CHUNK)]
    labels, probabilities = zip(*chunks, strict=True)
    return np.concatenate(labels), np.concatenate(probabilities)


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Rows are few and workers are many: a thread pool in each would only contend.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise ModelError(f"{MODEL_FILE} is no model that onnxruntime can run") from error


def _check_contract(session: onnxruntime.InferenceSession, contract: Contract, digest: str) -> None:
    if contract.threshold is None:
        raise ModelError(f"{CONTRACT_FILE} has no decision threshold")
    # The graph carries the contract's digest, so that the model's own digest covers both.
    if session.get_modelmeta().custom_metadata_map.get(CONTRACT_DIGEST_KEY) != digest:
        raise ModelError(f"{CONTRACT_FILE} is not the contract that {MODEL_FILE} was made with")
    inputs = [(tensor.name, tensor.shape[1:]) for tensor in session.get_inputs()]
    outputs = [tensor.name for tensor in session.get_outputs()]
    if inputs != [(INPUT, [len(contract.features)])] or outputs != OUTPUTS:
        raise ModelError(f"{MODEL_FILE} does not take the contract's features")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise ModelError(f"{path.name} cannot be read: {error.strerror}") from error


def _decode(name: str, content: bytes, kind: type[Any]) -> Any:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise ModelError(f"{name} does not parse: {error}") from error
