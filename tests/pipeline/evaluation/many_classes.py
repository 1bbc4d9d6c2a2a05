"""Answers of models of several classes, for tests."""

import numpy as np
from hypothesis import strategies as st


@st.composite
def many_classes(draw, fewest=1):
    """Draw rows of 3 to 6 classes, some of them rare, and probabilities with many ties."""
    classes = draw(st.integers(3, 6))
    more = draw(st.lists(st.integers(0, classes - 1) | st.just(0), max_size=50))
    y = np.array([*range(classes)] * fewest + more)
    parts = st.lists(st.integers(0, 4), min_size=classes, max_size=classes).filter(any)
    drawn = draw(st.lists(parts, min_size=len(y), max_size=len(y)))
    weights = np.array(drawn, dtype=np.float64)
    return y, weights / weights.sum(axis=1, keepdims=True)


def random_answers(rows=200, classes=4, seed=0, knows=2.0):
    """Give labels of classes of uneven size, and probabilities that know something of them."""
    rng = np.random.default_rng(seed)
    shares = np.arange(1, classes + 1)
    y = rng.choice(classes, rows, p=shares / shares.sum())
    y[: 2 * classes] = np.repeat(np.arange(classes), 2)
    logits = rng.normal(size=(rows, classes)) + knows * np.eye(classes)[y]
    odds = np.exp(logits)
    return y, odds / odds.sum(axis=1, keepdims=True)
