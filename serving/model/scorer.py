"""One verified version of the model in memory: the ONNX graph, its contract and its identity.

The pipeline's evaluation scores through this class too, so that the figures are those of the code
that answers.
"""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import onnxruntime

from serving.model.contract import Contract, FloatMatrix
from serving.model.explanation import Explainer
from serving.model.rows import to_matrix
from serving.model.runs import OverdueError, TimedRun
from serving.model.session import open_session
from serving.model.validation import InvalidRowsError
from serving.model.version_files import (
    CONTRACT_DIGEST_KEY,
    CONTRACT_FILE,
    EXPLANATION_DIGEST_KEY,
    EXPLANATION_FILE,
    GOLDEN_FILE,
    MODEL_FILE,
    ModelError,
    decode,
    digest_of,
    read_file,
    read_if_there,
)

GOLDEN_TOLERANCE = 1e-5
CHUNK = 256  # rows that are scored at once
INPUT = "features"

# Labels `[rows]`, and probabilities of class 1 `[rows]` or of more than two `[rows, classes]`.
Answers = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


class Prediction(msgspec.Struct, frozen=True, omit_defaults=True):
    """The place of a class, and the probability of class 1, or those of more than two."""

    label: int
    probability: float | None = None
    probabilities: tuple[float, ...] = ()

    @property
    def found(self) -> float | tuple[float, ...] | None:
        return self.probabilities or self.probability


class Golden(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows with the answers that the model gave when it was made."""

    rows: list[dict[str, float | str | None]]
    predictions: list[Prediction]


class Scorer:
    """Rows of numbers in, labels and probabilities out; `explainer` tells why, if it can."""

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        contract: Contract,
        digest: str,
        size: int = 0,
        explainer: Explainer | None = None,
    ) -> None:
        self._session = session
        self.contract = contract
        self.digest = digest
        self.size = size  # bytes of model.onnx
        self.explainer = explainer

    @classmethod
    def open(
        cls,
        model: bytes,
        contract_json: bytes,
        explanation: bytes | None = None,
        *,
        whole: bool = True,
    ) -> "Scorer":
        """Open an ONNX model beside its contract, and the explanation if it was made with one.

        Raises ModelError where one of them does not parse or they do not belong together.
        """
        contract = decode(CONTRACT_FILE, contract_json, Contract)
        session = open_session(model)
        _check_contract(session, contract, digest_of(contract_json))
        lacks_it = explanation is None and not whole
        explainer = None if lacks_it else _explainer(session, contract, explanation)
        return cls(session, contract, digest_of(model), len(model), explainer)

    @classmethod
    def load(
        cls,
        directory: Path,
        expected_digest: str | None = None,
        *,
        until: float | None = None,
        whole: bool = True,
    ) -> "Scorer":
        """Load and verify the version in `directory`, which has its `version_files`.

        Raises ModelError where a file is missing or unreadable, the model's sha256 is not
        `expected_digest`, the contract or the explanation is not the one the model was made with,
        the graph does not fit it, or the golden predictions and their explanations come out
        otherwise, or not by `until` (see `score`); OSError where reading fails for reasons of the
        machine, which say nothing of the version. One that need not be `whole` may lack its
        explanation: releases that knew of none left it out of their stores.
        """
        model, contract_json, golden_json = (
            read_file(directory / name) for name in (MODEL_FILE, CONTRACT_FILE, GOLDEN_FILE)
        )
        digest = digest_of(model)
        if expected_digest is not None and digest != expected_digest:
            raise ModelError(
                f"{MODEL_FILE} has the sha256 {digest}, the registry says {expected_digest}"
            )
        explanation = read_if_there(directory / EXPLANATION_FILE)
        scorer = cls.open(model, contract_json, explanation, whole=whole)
        scorer._check_golden(decode(GOLDEN_FILE, golden_json, Golden), until)
        return scorer

    def score(self, values: FloatMatrix, *, until: float | None = None) -> Answers:
        """Answer for `[rows, features]` in the contract's order, NaN where a value is missing.

        Returns the labels `[rows]` and, of two classes, the probabilities of the positive one
        `[rows]`; a label is 1 exactly where that is at least the contract's threshold. Of more it
        returns those of all `[rows, classes]`; the label is the place of the largest. Raises
        OverdueError where `runs.end_overdue` is called after `until`, on perf_counter's clock.
        """
        if until is None:
            return run_session(self._session, values)
        with TimedRun(until) as options:
            return run_session(self._session, values, options)

    def _check_golden(self, golden: Golden, until: float | None) -> None:
        if not golden.rows or len(golden.rows) != len(golden.predictions):
            raise ModelError(f"{GOLDEN_FILE} does not give one prediction for each of its rows")
        try:
            rows = to_matrix(self.contract, golden.rows)
            labels, probabilities = self.score(rows, until=until)
        except InvalidRowsError as error:
            raise ModelError(f"{GOLDEN_FILE} breaks the contract: {error}") from error
        except OverdueError as error:
            raise ModelError(f"{MODEL_FILE} does not answer {GOLDEN_FILE} in time") from error
        except Exception as error:  # onnxruntime's errors share no base class of their own
            raise ModelError(f"{MODEL_FILE} cannot answer the rows of {GOLDEN_FILE}") from error
        self._check_shapes(len(golden.rows), labels, probabilities)
        for row, (want, label, got) in enumerate(
            zip(golden.predictions, labels, probabilities, strict=True)
        ):
            wanted = np.array(want.found, dtype=np.float64)
            if wanted.shape != got.shape:
                raise ModelError(f"{GOLDEN_FILE} does not have the contract's probabilities")
            close = np.abs(wanted - got).max() <= GOLDEN_TOLERANCE
            if not close or want.label != label:
                raise ModelError(
                    f"golden row {row + 1} is answered with {label} ({_format(got)}) "
                    f"instead of {want.label} ({_format(wanted)})"
                )
        if self.explainer is not None:
            _check_explanations(self.explainer, rows, probabilities, until)

    def _check_shapes(self, rows: int, *answers: npt.NDArray[Any]) -> None:
        labels, probabilities = answers
        several = len(probability_outputs(self.contract)) > 1
        shape = (rows, len(self.contract.classes)) if several else (rows,)
        if labels.shape != (rows,) or probabilities.shape != shape:
            raise ModelError(f"{MODEL_FILE} does not give one label and probability for each row")


def probability_outputs(contract: Contract) -> list[str]:
    """Return the names of a model's outputs after the label: of two classes there is one."""
    if contract.is_binary:
        return ["probability"]
    return [f"probability_{place}" for place in range(len(contract.classes))]


def _format(probabilities: npt.NDArray[np.float64]) -> str:
    return ", ".join(f"{probability:.6f}" for probability in probabilities.ravel())


def run_session(
    session: onnxruntime.InferenceSession,
    values: FloatMatrix,
    options: onnxruntime.RunOptions | None = None,
) -> Answers:
    """Return `Scorer.score` for an open session alone, which is all that a distant worker has."""
    if len(values) <= CHUNK:
        label, *found = session.run(None, {INPUT: values}, options)
        return label, found[0] if len(found) == 1 else np.column_stack(found)
    # A kernel of all rows would outgrow the processor's cache, and stay in memory.
    parts = [values[i : i + CHUNK] for i in range(0, len(values), CHUNK)]
    answers = [run_session(session, part, options) for part in parts]
    labels, probabilities = zip(*answers, strict=True)
    return np.concatenate(labels), np.concatenate(probabilities)


def _explainer(
    session: onnxruntime.InferenceSession, contract: Contract, content: bytes | None
) -> Explainer | None:
    """Open the explanation that the graph names; a file that it does not name is passed over."""
    named = session.get_modelmeta().custom_metadata_map.get(EXPLANATION_DIGEST_KEY)
    if named is None:
        return None
    if content is None:
        raise ModelError(f"{EXPLANATION_FILE}, which {MODEL_FILE} was made with, is not there")
    if digest_of(content) != named:
        raise ModelError(f"{EXPLANATION_FILE} is not the one that {MODEL_FILE} was made with")
    try:
        return Explainer(content, contract)
    except (ModelError, MemoryError):
        raise
    except Exception as error:  # onnxruntime's errors share no base class of their own
        raise ModelError(f"{EXPLANATION_FILE} does not give what it is made of") from error


def _check_explanations(
    explainer: Explainer,
    rows: FloatMatrix,
    probabilities: npt.NDArray[np.float64],
    until: float | None,
) -> None:
    try:
        explainer.check(rows, probabilities, until)
    except OverdueError as error:
        raise ModelError(f"{EXPLANATION_FILE} does not explain {GOLDEN_FILE} in time") from error
    except (ModelError, MemoryError):
        raise
    except Exception as error:
        raise ModelError(f"{EXPLANATION_FILE} cannot explain {GOLDEN_FILE}") from error


def _check_contract(session: onnxruntime.InferenceSession, contract: Contract, digest: str) -> None:
    if contract.threshold is None and contract.is_binary:
        raise ModelError(f"{CONTRACT_FILE} has no decision threshold")
    for feature in contract.features:
        if feature.type == "category" and not feature.code_count:
            raise ModelError(f"{CONTRACT_FILE} has no category for {feature.name}")
    # The graph carries the contract's digest, so that the model's own digest covers both.
    if session.get_modelmeta().custom_metadata_map.get(CONTRACT_DIGEST_KEY) != digest:
        raise ModelError(f"{CONTRACT_FILE} is not the contract that {MODEL_FILE} was made with")
    inputs = [(tensor.name, tensor.shape[1:]) for tensor in session.get_inputs()]
    outputs = [tensor.name for tensor in session.get_outputs()]
    if inputs != [(INPUT, [len(contract.features)])]:
        raise ModelError(f"{MODEL_FILE} does not take the contract's features")
    if outputs != ["label", *probability_outputs(contract)]:
        raise ModelError(f"{MODEL_FILE} does not answer with the contract's classes")
