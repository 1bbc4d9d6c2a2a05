"""The middle of the exported graph: what the SVM takes -> the log-odds of classes."""

import numpy as np
from sklearn.linear_model import LogisticRegressionCV

from pipeline.export.graph import Array, Graph
from pipeline.export.kernel_machine import KernelMachine


def add_linear(graph: Graph, classifier: LogisticRegressionCV, z: str) -> str:
    """Add the linear functions of logistic regression; return the output's name."""
    graph.constant("axis_1", np.array([1], dtype=np.int64))
    return _sums(graph, z, classifier.coef_.T, classifier.intercept_)


def add_kernel_sums(graph: Graph, machine: KernelMachine, z: str) -> str:
    """Add the weighted sums of kernels; return the output's name."""
    return _sums(graph, _kernel(graph, machine, z), machine.weights, machine.bias)


def _kernel(graph: Graph, machine: KernelMachine, z: str) -> str:
    """Return `exp(−γ‖z − s‖²)` `[n, support vectors]`, as `exp(2γ z·s − γ‖s‖² − γ‖z‖²)`.

    γ is multiplied into the constants: each step on this largest of the graph's arrays counts.
    """
    S, gamma = machine.vectors, machine.gamma
    vectors = graph.constant("support_vectors", np.ascontiguousarray(2 * gamma * S.T))
    lengths = graph.constant("support_vectors_squared", -gamma * np.sum(S * S, axis=1))
    axis = graph.constant("axis_1", np.array([1], dtype=np.int64))

    products = graph.add("Gemm", [z, vectors, lengths], "products")
    z_squared = graph.add("ReduceSumSquare", [z, axis], "scaled_squared", keepdims=1)
    z_squared = graph.add("Mul", [z_squared, graph.constant("gamma", gamma)], "scaled_length")
    return graph.add("Exp", [graph.add("Sub", [products, z_squared], "exponents")], "kernel")


def _sums(graph: Graph, values: str, weights: Array, bias: Array) -> str:
    """Return `Σ wᵢ xᵢ + b` over the columns of `values` `[n, k]`, for each column of weights."""
    columns = graph.constant("weights", np.ascontiguousarray(weights))
    return graph.add("Gemm", [values, columns, graph.constant("bias", bias)], "logits")
