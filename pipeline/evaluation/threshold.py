"""The decision threshold: out-of-fold predictions and a rule in, a probability out."""

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from pipeline.evaluation.metrics import Array, Labels, confusion, cumulative_counts
from pipeline.params import MistakeCost, ThresholdRule

ABOVE_ONE = 1 + 2 * float(np.finfo(np.float64).eps)  # half-way from it to 1 is above 1, too


def best_threshold(
    y: Labels, probability: Array, rule: ThresholdRule, cost: MistakeCost | None = None
) -> float:
    """Return the threshold of the highest Youden index, F1 or accuracy, or of the lowest cost.

    The choices lie half-way between two probabilities, so that rounding does not decide. The first
    lies between 1 and the highest probability, and finds no positive. Ties go to the highest
    threshold. Without `cost` both mistakes cost the same.
    """
    threshold, tp, fp = cumulative_counts(y, probability)
    bounds = np.concatenate([[ABOVE_ONE], threshold, [0.0]])
    best = int(np.argmax(_rule_value(rule, np.append(0, tp), np.append(0, fp), cost)))
    return float((bounds[best] + bounds[best + 1]) / 2)


def describe_threshold(
    y: Labels, probability: Array, threshold: float, rule: ThresholdRule, cost: MistakeCost | None
) -> str:
    """Return a sentence on what the threshold decides for these rows, and on its cost."""
    counts = confusion(y, (probability >= threshold).astype(np.int64))
    return f"{format_counts(counts)}{_format_cost(counts, rule, cost)}"


def format_decisions(figures: Mapping[str, float]) -> str:
    """Return a sentence on the decisions for the test rows: of two classes, or of more."""
    if "threshold" in figures:
        return f"at the threshold {figures['threshold']:.4f}: {format_counts(figures)}"
    return (
        f"of {figures['rows']:,.0f} rows of {figures['classes']:.0f} classes "
        f"{figures['accuracy']:.1%} are given their own class, {figures['balanced_accuracy']:.1%} "
        "on average over the classes"
    )


def format_counts(counts: Mapping[str, float]) -> str:
    """Return a sentence on the positives that a decision finds and on its false alarms."""
    found, alarms = counts["true_positives"], counts["false_positives"]
    positives = found + counts["false_negatives"]
    rows = positives + alarms + counts["true_negatives"]
    in_vain = "1 is a false alarm" if alarms == 1 else f"{alarms:,.0f} are false alarms"
    return f"of {rows:,.0f} rows {found:,.0f} of {positives:,.0f} positives are found, {in_vain}"


def _format_cost(counts: Mapping[str, float], rule: ThresholdRule, cost: MistakeCost | None) -> str:
    if cost is None:
        return ""
    if rule == "cost":
        total = (
            counts["false_positives"] * cost.false_positive
            + counts["false_negatives"] * cost.false_negative
        )
        each = f"{cost.false_positive:g} a false positive, {cost.false_negative:g} a false negative"
        return f"; they cost {total:g} ({each})"
    if cost.false_positive == cost.false_negative:
        return ""
    return f"; grid_search.cost has no effect, since grid_search.threshold is {rule}"


def _rule_value(rule: ThresholdRule, tp: Array, fp: Array, cost: MistakeCost | None) -> Array:
    """Return what a rule makes highest, at each threshold.

    In whole numbers where it can be, so that equals are equal to the last bit.
    """
    positives, negatives = tp[-1], fp[-1]
    if rule == "youden":
        return np.asarray(tp * negatives - fp * positives)  # the index times both counts
    if rule == "f1":
        return np.asarray(2 * tp / (tp + fp + positives))
    of_fp, of_fn = _whole_costs(cost) if rule == "cost" and cost else (1.0, 1.0)
    return np.asarray(-(fp * of_fp + (positives - tp) * of_fn))


def _whole_costs(cost: MistakeCost) -> tuple[float, float]:
    """Return whole numbers in the ratio of the costs as written: 0.1 and 0.3 are 1 and 3."""
    ratio = Fraction(str(cost.false_positive)) / Fraction(str(cost.false_negative))
    return float(ratio.numerator), float(ratio.denominator)
