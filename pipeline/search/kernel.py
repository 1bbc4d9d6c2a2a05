"""The RBF kernel with the bits that libsvm gives it.

A ROC AUC goes by the order of the scores, and equal ones are common: whole numbers give equal
distances, and a narrow kernel scores far rows alike. There the last bit decides, so each step is
taken as `svm.cpp` takes it: products by BLAS's `ddot`, which is what `vecdot` calls, differences
for rows to be scored, lengths and products for rows to be trained on, and the exponential of C.
"""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import inv_boxcox

Array = npt.NDArray[np.float64]
Distances = tuple[Array, Array]

BLOCK = 2**16  # numbers that are worked on at once: they stay in the processor's cache


class Buffers(threading.local):
    """Memory that a thread keeps for its next kernels.

    Fresh pages cost more than what is computed into them.
    """

    def __init__(self) -> None:
        self._flat: dict[str, Array] = {}

    def take(self, name: str, shape: tuple[int, int]) -> Array:
        """Return an uninitialised array of that shape."""
        size = shape[0] * shape[1]
        if name not in self._flat or self._flat[name].size < size:
            self._flat[name] = np.empty(size)
        return self._flat[name][:size].reshape(shape)


def distances(A: Array, B: Array, buffers: Buffers | None = None) -> Distances:
    """Return squared distances `[n, n]` among the rows of A `[n, k]`, and from B `[m, k]` to A."""
    take = (buffers or Buffers()).take
    among, between = take("among", (len(A), len(A))), take("between", (len(B), len(A)))
    return _among(A, among), _between(B, A, between)


def rbf(squared: Distances, gamma: float, buffers: Buffers) -> tuple[Array, Array]:
    """Return `exp(−γd)` of both squared distances.

    Distances that are in the buffers themselves are overwritten.
    """
    among, between = squared
    return (
        _rbf(among, gamma, buffers.take("among", among.shape)),
        _rbf(between, gamma, buffers.take("between", between.shape)),
    )


def among_in_blocks(A: Array, gamma: float) -> Iterator[Array]:
    """Yield the kernel among the rows of A, a block of rows at a time, with the bits of `rbf`."""
    lengths = _vecdot(A, A)
    for rows in _blocks(len(A), len(A)):
        squared = _among_rows(A, lengths, rows, np.empty((len(A[rows]), len(A))))
        yield _rbf(squared, gamma, squared)


def _rbf(squared: Array, gamma: float, out: Array) -> Array:
    for rows in _blocks(len(squared), squared.shape[1]):
        np.multiply(squared[rows], -gamma, out=out[rows])
        _exp(out[rows], out=out[rows])
    return out


def _among(A: Array, squared: Array) -> Array:
    lengths = _vecdot(A, A)
    for rows in _blocks(len(A), len(A)):
        _among_rows(A, lengths, rows, squared[rows])
    return squared


def _among_rows(A: Array, lengths: Array, rows: slice, squared: Array) -> Array:
    # Not the subtraction in one step with the doubling: two roundings are libsvm's.
    np.add(lengths[rows, np.newaxis], lengths, out=squared)
    squared -= 2 * _vecdot(A[rows, np.newaxis], A)
    return squared


def _between(B: Array, A: Array, squared: Array) -> Array:
    for rows in _blocks(len(B), A.size):
        differences = B[rows, np.newaxis] - A
        _vecdot(differences, differences, out=squared[rows])
    return squared


def _blocks(rows: int, row_size: int) -> list[slice]:
    step = max(1, BLOCK // max(1, row_size))
    return [slice(first, first + step) for first in range(0, rows, step)]


# numpy's own exp is another than C's in the last bit of one value in twenty; the inverse of the
# Box-Cox transformation is C's where its parameter is 0.
def _exp(x: Array, out: Array) -> None:
    inv_boxcox(x, 0.0, out=out)


_vecdot: Any = np.vecdot
