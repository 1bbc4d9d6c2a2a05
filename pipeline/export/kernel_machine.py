"""Fitted SVMs, whatever they were fitted on, as weighted sums of one kernel."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline

from pipeline.training.calibrated_svm import CalibratedSVM

Array = npt.NDArray[np.float64]


class KernelMachine(NamedTuple):
    """Decision functions `f(z) = Σ wᵢ exp(−γ‖z − vᵢ‖²) + b` that share their vectors `[m, k]`.

    Weights are `[m, SVMs]`, the bias `[SVMs]`.
    """

    vectors: Array
    weights: Array
    bias: Array
    gamma: float


def calibrated_machine(classifier: CalibratedSVM) -> KernelMachine:
    """Return the log-odds `a f + b` of each decision function: Platt (1999) takes their sigmoid.

    The standardisation of the decision values and the sigmoid's slope and offset are folded into
    the sum of kernels.
    """
    machine = _standardized_machine(classifier)
    slopes, offsets = np.transpose(classifier.sigmoids)
    return machine._replace(weights=slopes * machine.weights, bias=slopes * machine.bias + offsets)


def _standardized_machine(classifier: CalibratedSVM) -> KernelMachine:
    machine = _kernel_machine(classifier.svm_)
    return machine._replace(
        weights=machine.weights / classifier.scale_,
        bias=(machine.bias - classifier.mean_) / classifier.scale_,
    )


def _kernel_machine(svm: Any) -> KernelMachine:
    """Write the exact SVMs, or those on a Nyström map, as sums of kernels.

    The map is `K(z, v) Nᵀ`, and what follows it is linear, so the two matrices become one.
    """
    # gamma is a number here: build_svm sets it.
    if isinstance(svm, Pipeline):
        kernel_map, linear = svm.named_steps["map"], _each(svm.named_steps["svm"])
        weights = [kernel_map.normalization_.T @ one.coef_[0] for one in linear]
        vectors, gamma = kernel_map.components_, kernel_map.gamma
        return KernelMachine(vectors, np.column_stack(weights), _biases(linear), gamma)
    svms = _each(svm)
    return KernelMachine(*_shared_vectors(svms), _biases(svms), svms[0].gamma)


def _each(svm: Any) -> Sequence[Any]:
    """Return the fitted SVMs of the classes, or the only one of two classes."""
    return svm.estimators_ if isinstance(svm, OneVsRestClassifier) else [svm]


def _biases(svms: Sequence[Any]) -> Array:
    return np.concatenate([svm.intercept_ for svm in svms])


def _shared_vectors(svms: Sequence[Any]) -> tuple[Array, Array]:
    """Return all distinct support vectors `[m, k]` and what they weigh in each SVM `[m, SVMs]`."""
    if len(svms) == 1:
        return svms[0].support_vectors_, svms[0].dual_coef_.T
    every = np.vstack([svm.support_vectors_ for svm in svms])
    vectors, places = np.unique(every, axis=0, return_inverse=True)
    weights = np.zeros((len(vectors), len(svms)))
    of_svm = np.repeat(np.arange(len(svms)), [len(svm.support_vectors_) for svm in svms])
    np.add.at(weights, (places, of_svm), np.concatenate([svm.dual_coef_[0] for svm in svms]))
    return vectors, weights
