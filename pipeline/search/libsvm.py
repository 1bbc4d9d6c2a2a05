"""libsvm as scikit-learn ships it, for a kernel that is there already or its own RBF kernel.

`SVC.fit` spends up to twice the solver's time on checking its arguments and holds the
interpreter's lock meanwhile, which five hundred small fits feel: 1.9 ms against 0.7. What it calls
in the end is called here, with its defaults. The module is scikit-learn's own business, so its
version is bounded in pyproject.toml, and a test holds the two to the same bits.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.svm import _libsvm

Array = npt.NDArray[np.float64]

MEGABYTE = 2**20
C_SVC = 0
TOLERANCE = 1e-3  # SVC's default


class Machine(NamedTuple):
    """A fitted machine, as libsvm gives it back, and the kernel that it was fitted with."""

    parts: tuple[Any, ...]
    kernel: dict[str, Any]

    @property
    def support(self) -> npt.NDArray[np.int32]:
        """Return the places of the support vectors among the rows."""
        return np.asarray(self.parts[0])

    @property
    def coefficients(self) -> Array:
        """Return `αᵢ yᵢ` of the support vectors, but for the sign."""
        return np.asarray(self.parts[3]).ravel()

    @property
    def steps(self) -> int:
        """Return how many steps the solver took."""
        return int(np.sum(self.parts[8]))

    def decision_on(self, K: Array, rows: int) -> Array:
        """Return the decision function `[m]` for kernel rows `[m, n]` of the n `rows` fitted on.

        Each row's value is the same to the bit however many are asked for at once.
        """
        weights = np.zeros(rows)
        weights[self.support] = self.coefficients
        return np.asarray(-(np.vecdot(K, weights) + self.parts[4][0]))

    def same_as(self, other: "Machine") -> bool:
        """True if another machine has the same weights, bit for bit, reached by the same steps."""
        support, coefficients, steps = (0, 3, 8)
        return all(
            np.array_equal(self.parts[part], other.parts[part])
            for part in (support, coefficients, steps)
        )


def fit(
    K: Array,
    y: Array,
    C: float,
    *,
    cache_bytes: int,
    gamma: float | None = None,
    weights: Array | None = None,
) -> Machine:
    """Fit a C-SVM; y is 0 or 1 as double `[n]`, `weights` multiply C for each class `[2]`.

    K is a precomputed kernel `[n, n]`, or with `gamma` the rows `[n, k]` to which libsvm applies
    its own RBF kernel. The cache of kernel columns changes the time, never the result.
    """
    _libsvm.set_verbosity_wrap(0)
    kernel = {"kernel": "precomputed"} if gamma is None else {"kernel": "rbf", "gamma": gamma}
    cache = max(1.0, cache_bytes / MEGABYTE)
    # In the order of libsvm.fit: support, vectors, n_support, dual coefficients, intercept, …
    weighted = {} if weights is None else {"class_weight": weights}
    parts = _libsvm.fit(
        K,
        y,
        svm_type=C_SVC,
        C=C,
        tol=TOLERANCE,
        shrinking=1,
        cache_size=cache,
        **kernel,
        **weighted,
    )
    return Machine(parts, kernel)


def decision(machine: Machine, K: Array) -> Array:
    """Return the decision function `[m]` for a kernel `[m, n]`, or for rows, as `fit` was given."""
    values = _libsvm.decision_function(K, *machine.parts[:7], svm_type=C_SVC, **machine.kernel)
    # libsvm takes the class that it met first for the positive one; scikit-learn sorts them.
    return -np.asarray(values, dtype=np.float64).ravel()
