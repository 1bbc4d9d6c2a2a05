"""Which features a model goes by: the mean |contribution| of each to the log-odds of rows.

It is the usual importance of a feature for a whole model (Lundberg et al. 2020, "From local
explanations to global understanding with explainable AI for trees"), of exact Shapley values here.
"""

from collections.abc import Mapping, Sequence
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from pipeline.errors import PipelineError
from serving.model.contract import FloatMatrix
from serving.model.explanation import Explainer
from serving.model.scorer import Scorer

TABLE = "importance"  # its name among the tables behind the plots
INTERVALS = ("importance", "low", "high", "share", "share_low", "share_high")
COLUMNS = ("feature", *INTERVALS, "rows", "background")
MOST_ROWS = 500  # with more the intervals hardly narrow
FEWEST = 20  # rows and background rows, whatever they take
PRODUCTS = 2_000_000_000  # of kernels: five to fifteen seconds on one core
SHOWN = 3  # features in a sentence

# A share above it: more than that of all other features together. Of the 26 tables of bench/keel.py
# with four features or more two have one, crx and housevotes. With a copy of the target added, of
# which 2 % (5 %) is wrong, 14 (10) do; a bound of 0.6 finds 11 (8) of these, and the same two.
SUSPICIOUS = 0.5
FEWEST_FEATURES = 4  # of three, one often carries most: sex, of the passengers of the Titanic


def importance_table(scorer: Scorer, X: FloatMatrix, confidence: float, seed: int) -> pd.DataFrame:
    """Return a row for each feature, the most important first; none for a model without explainer.

    Of more than `MOST_ROWS` rows so many are drawn. Where even these take too long there are fewer
    background rows, then fewer rows; the columns `rows` and `background` have their numbers.

    Raises PipelineError where the contributions do not make up the model's answers.
    """
    explainer = scorer.explainer
    if explainer is None:
        return no_importance()
    rows, background = _affordable(explainer, len(X))
    chosen = X[np.random.default_rng(seed).permutation(len(X))[:rows]]
    explanation = explainer.explain(chosen, background)
    if reason := explainer.disagreement(explanation, scorer.score(chosen)[1]):
        raise PipelineError(f"the model's answers cannot be explained: {reason}")
    table = importances(explanation.contributions, scorer.contract.names, confidence)
    return table.assign(rows=rows, background=background)


def no_importance() -> pd.DataFrame:
    """Return the table of a model that cannot be explained."""
    return pd.DataFrame(columns=list(COLUMNS))


def importances(
    contributions: FloatMatrix, names: Sequence[str], confidence: float
) -> pd.DataFrame:
    """Return each feature's importance and its share of their sum, with intervals.

    `contributions` are `[rows, features, classes]`; the importance is the mean over the classes as
    well. Intervals are normal, by the central limit theorem, and end at 0 and of a share at 1. A
    share is a ratio of two means over the same rows, with the standard error of one (Cochran 1977,
    "Sampling Techniques", section 2.11).
    """
    sizes = np.abs(contributions).mean(axis=2)
    importance = sizes.mean(axis=0)
    total = importance.sum() or 1.0  # nothing counts where every row gets the same answer
    share = importance / total
    off_share = sizes - share * sizes.sum(axis=1, keepdims=True)
    z = NormalDist().inv_cdf((1 + confidence) / 2) / sqrt(len(sizes))
    half, share_half = (z * part.std(axis=0, ddof=1) for part in (sizes, off_share / total))
    ends = (importance - half, importance + half, share, share - share_half, share + share_half)
    figures = dict(zip(INTERVALS, (importance, *ends), strict=True))
    table = pd.DataFrame({"feature": list(names), **figures})
    table[["low", "share_low"]] = table[["low", "share_low"]].clip(lower=0)
    table["share_high"] = table["share_high"].clip(upper=1)
    order = np.argsort(-importance, kind="stable")
    return table.iloc[order].reset_index(drop=True)


def shares_of(table: pd.DataFrame) -> dict[str, float]:
    """Return each feature's share of the importance."""
    return dict(zip(table["feature"], table["share"].tolist(), strict=True))


def format_share(row: Mapping[Any, Any]) -> str:
    """Return the share of a row of the table with its interval, in percent."""
    share, low, high = (f"{row[name]:.1%}" for name in INTERVALS[3:])
    return f"{share} ({low} to {high})"


def format_importance(table: pd.DataFrame, rows: int, background: int) -> str:
    """Return a sentence on the most important features, and on what was left out.

    `rows` and `background` are how many there are.
    """
    largest = list(shares_of(table).items())[:SHOWN]
    features = ", ".join(f"{feature} ({share:.0%})" for feature, share in largest)
    taken = {
        "test rows": (int(table["rows"].iloc[0]), rows),
        "background rows": (int(table["background"].iloc[0]), background),
    }
    fewer = [f"{some:,} of {all_:,} {what}" for what, (some, all_) in taken.items() if some < all_]
    measured = f", measured on {' and '.join(fewer)}" if fewer else ""
    return f"it goes by {features}{measured}"


def suspected_leak(shares: Mapping[str, float]) -> str:
    """Return a sentence on a feature that carries most of the importance, empty without one."""
    feature, share = max(shares.items(), key=lambda each: each[1], default=("", 0.0))
    if len(shares) < FEWEST_FEATURES or share <= SUSPICIOUS:
        return ""
    return (
        f"`{feature}` carries {share:.0%} of the importance: check that its value is known before "
        "the outcome is"
    )


def _affordable(explainer: Explainer, rows: int) -> tuple[int, int]:
    """Return how many rows, and background rows, there is time for."""
    fewest = min(FEWEST, explainer.background)
    rows = min(rows, MOST_ROWS, max(FEWEST, explainer.rows_for(fewest, PRODUCTS)))
    return rows, max(fewest, explainer.background_for(rows, PRODUCTS))
