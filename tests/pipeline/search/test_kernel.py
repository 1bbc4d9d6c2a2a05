from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.svm import SVC

from pipeline.search import kernel, libsvm

RNG = np.random.default_rng(0)


def rows(number, width, whole):
    X = RNG.normal(size=(number, width))
    return np.ascontiguousarray(np.round(2 * X) / 2 if whole else X)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("width", [1, 2, 8, 33, 70])
def test_a_machine_on_our_kernel_is_libsvm_s_own_to_the_last_bit(width, whole):
    A, B, gamma = rows(120, width, whole), rows(60, width, whole), 0.7 / width
    y = (A.sum(axis=1) > 0).astype(np.float64)
    own = libsvm.fit(A, y, 10.0, cache_bytes=10**7, gamma=gamma)
    K, K_test = kernel.rbf(kernel.distances(A, B), gamma, kernel.Buffers())
    ours = libsvm.fit(K, y, 10.0, cache_bytes=10**7)
    assert ours.same_as(own)
    np.testing.assert_array_equal(libsvm.decision(ours, K_test), libsvm.decision(own, B))
    svc = SVC(C=10.0, gamma=gamma).fit(A, y)
    np.testing.assert_array_equal(libsvm.decision(ours, K_test), svc.decision_function(B))


def test_the_blocks_are_put_together_as_they_were(monkeypatch):
    A, B = rows(50, 3, False), rows(20, 3, False)
    whole = kernel.distances(A, B)
    monkeypatch.setattr(kernel, "BLOCK", 7)
    for one, other in zip(kernel.distances(A, B), whole, strict=True):
        np.testing.assert_array_equal(one, other)
        assert other.shape[1] == 50


def test_distances_are_overwritten_only_where_they_are_in_the_buffers():
    buffers = kernel.Buffers()
    A, B = rows(9, 2, False), rows(5, 2, False)
    kept = kernel.distances(A, B)
    before = [squared.copy() for squared in kept]
    K, K_test = kernel.rbf(kept, 0.5, buffers)
    for squared, was, found in zip(kept, before, (K, K_test), strict=True):
        np.testing.assert_array_equal(squared, was)
        np.testing.assert_allclose(found, np.exp(-0.5 * was))
    again = kernel.rbf(kernel.distances(A, B, buffers), 0.5, buffers)
    assert np.shares_memory(again[0], K)
    np.testing.assert_allclose(again[1], np.exp(-0.5 * before[1]))


def test_buffers_serve_smaller_and_larger_kernels_and_each_thread_has_its_own():
    buffers = kernel.Buffers()
    large = buffers.take("among", (4, 5))
    assert np.shares_memory(buffers.take("among", (2, 3)), large)
    assert buffers.take("among", (5, 5)).shape == (5, 5)
    with ThreadPoolExecutor(1) as other:
        there = other.submit(buffers.take, "among", (4, 5)).result()
    assert not np.shares_memory(there, buffers.take("among", (4, 5)))
