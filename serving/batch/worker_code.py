"""What a distant worker runs: the model, and the code for it, sent by value.

A worker has numpy and onnxruntime, and nothing of ours. So what is sent may use functions of ours
that need no more than these, and neither the contract nor what reads it.
"""

import io
from collections import ChainMap
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

import serving
from serving.batch.chunk_scoring import has_answer
from serving.model.contract import FloatMatrix
from serving.model.explanation import ENCODED, INPUT, Explainer
from serving.model.scorer import run_session
from serving.model.session import open_session
from serving.model.shapley import shapley_values
from serving.model.version_files import EXPLANATION_FILE

# The base and the contributions of an `Explanation`, whose class a worker does not have.
Parts = tuple[FloatMatrix, FloatMatrix]
# Labels, probabilities and, where they are explained, the parts of rows that have an answer.
Sent = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], Parts | None]

CACHED: dict[type, Any] = {type(lru_cache(len)): lambda each: (lru_cache, (each.__wrapped__,))}


def to_bytes(model: bytes, explainer: Explainer | None = None, explanation: bytes = b"") -> bytes:
    """Pickle what answers a matrix of rows with `Sent`, with the code itself.

    `explanation` is the file that the explainer was opened from.
    """
    explain = None if explainer is None else _explain(explainer, explanation)

    def answer(values: FloatMatrix) -> Sent:
        labels, probabilities = run_session(open_session(model), values)
        kept = values[has_answer(probabilities)]
        parts = explain(kept) if explain is not None and len(kept) else None
        return labels, probabilities, parts

    return _by_value(answer)


def _explain(explainer: Explainer, explanation: bytes) -> Callable[[FloatMatrix], Parts]:
    factors, bias, background = explainer.factors, explainer.bias, explainer.background_rows

    def explain(values: FloatMatrix) -> Parts:
        (z,) = open_session(explanation, EXPLANATION_FILE).run([ENCODED], {INPUT: values})
        base, contributions = shapley_values(factors, z, background)
        return base + bias, contributions

    return explain


def _by_value(function: Callable[..., Any]) -> bytes:
    """Pickle a function with the code of ours that it runs, instead of its modules' names."""
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        # Left to itself, it sends a function with a cache by its name.
        dispatch_table: ClassVar[Any] = ChainMap(CACHED, cloudpickle.Pickler.dispatch_table)

    file = io.BytesIO()
    cloudpickle.register_pickle_by_value(serving)
    try:
        Pickler(file).dump(function)
    finally:
        cloudpickle.unregister_pickle_by_value(serving)
    return file.getvalue()


# A function inside a function has no name to be imported by: it is sent as it is.
def runner() -> Callable[[bytes, FloatMatrix], Sent]:
    """Return the function that a worker is sent: it runs what `to_bytes` made."""

    def run(code: bytes, values: Any) -> Any:
        import os

        import cloudpickle

        # Before onnxruntime is imported, as in our own processes.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        return cloudpickle.loads(code)(values)

    return run


def versions_here() -> Callable[[], dict[str, str]]:
    """Return the function that reads the versions that must agree for the same numbers."""
    libraries = ("numpy", "onnxruntime")

    def versions() -> dict[str, str]:
        import importlib
        import os
        import platform

        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        found = {"Python": ".".join(platform.python_version_tuple()[:2])}
        for name in libraries:
            try:
                found[name] = importlib.import_module(name).__version__
            except ImportError:
                found[name] = ""
        return found

    return versions
