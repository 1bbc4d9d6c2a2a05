"""Of which class an explanation is, and its columns."""

import numpy as np
import pytest

from serving.model.explained_class import take_class
from serving.model.explanation import Explanation

OF_TWO = Explanation(np.array([0.5]), np.array([[[1.0], [-2.0]], [[0.25], [0.0]]]), 30)
OF_THREE = Explanation(np.array([0.5, -0.5, 1.5]), np.arange(12.0).reshape(2, 2, 3), 30)


@pytest.mark.parametrize("place", [None, 1])
def test_of_two_classes_the_positive_one_is_explained(place):
    parts = take_class(OF_TWO, [0, 1], place, two=True)
    assert parts.places == [1, 1]
    assert parts.columns.tolist() == [[0.5, 0.5], [1.0, 0.25], [-2.0, 0.0]]


def test_what_raises_the_other_of_two_lowers_the_positive_one():
    parts = take_class(OF_TWO, [0, 1], 0, two=True)
    assert parts.places == [0, 0]
    assert parts.columns.tolist() == [[-0.5, -0.5], [-1.0, -0.25], [2.0, 0.0]]


def test_of_more_classes_each_row_has_the_predicted_one_unless_another_is_asked_for():
    predicted = take_class(OF_THREE, [2, 0], None, two=False)
    assert predicted.places == [2, 0]
    assert predicted.columns.tolist() == [[1.5, 0.5], [2.0, 6.0], [5.0, 9.0]]
    asked = take_class(OF_THREE, [2, 0], 1, two=False)
    assert asked.columns.tolist() == [[-0.5, -0.5], [1.0, 7.0], [4.0, 10.0]]
