"""The gates before production: figures and bounds in, verdicts out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from pipeline.evaluation.delong import PairedDifference
from pipeline.evaluation.metrics import NORMAL_95, format_metric
from pipeline.params import PARITY_TOLERANCE, Gates
from serving.receipts.receipt import Gate

CHANCE = 0.5  # the ROC AUC of a model that knows nothing
BEHIND_BASELINE = 0.05  # of ROC AUC, that the SVM may be below logistic regression
BEYOND_CHANCE = 0.05  # of calibration error, that may be left after what chance explains
UNKNOWN = "is not known: run `dvc repro`, which measures it"

# By gate, what can be done about a figure that is not good enough.
REMEDIES = {
    "min_roc_auc": "more rows or other features may help, or set register.gates.min_roc_auc",
    "baseline": "widen C and gamma of grid_search, or set register.gates.min_roc_auc",
    "max_brier": "more rows or other features may help, or set register.gates.max_brier",
    "max_calibration_error": (
        "more rows make it smaller, or set register.gates.max_calibration_error"
    ),
    "max_bias": "see whether the test rows are of another time or place, or set "
    "register.gates.max_bias",
    "max_subgroup_gap": "the card shows each group; more rows of the worst one may help, or set "
    "register.gates.max_subgroup_gap",
    "max_size_mb": "grid_search.approximation=nystroem makes it smaller, or set "
    "register.gates.max_size_mb",
    "max_latency_ms": "grid_search.approximation=nystroem makes it quicker, or set "
    "register.gates.max_latency_ms",
    "parity": "train it anew with the packages of requirements.lock",
    "max_roc_auc_drop": "`python -m pipeline compare` shows where; more test rows make it surer",
    "contract": "once callers know, `python -m pipeline promote --force --reason …` lets it pass",
}


@dataclass(frozen=True)
class Champion:
    """The version in production, or whose place ours took there, and how ours compares with it.

    `difference` is ours minus theirs on the same test rows, or why there is none; `rows` names
    these. `new_classes` are those that ours may answer and theirs does not know.
    """

    version: str
    difference: PairedDifference | str
    breaking_changes: Sequence[str]
    place: str = "in production"
    rows: str = "the same rows"
    new_classes: Sequence[str] = ()

    def __str__(self) -> str:
        return f"version {self.version} {self.place}"


@dataclass(frozen=True)
class Evidence:
    """Evidence for the gates: metrics on the test rows, and what the version takes to run.

    `onnx_difference` is the largest between the exported model's probability and scikit-learn's.
    """

    metrics: Mapping[str, float]
    onnx_difference: float
    size_mb: float
    latency_ms: float
    champion: Champion | None = None


def judge(gates: Gates, evidence: Evidence) -> tuple[Gate, ...]:
    """Hold a candidate to each gate that has a bound, in the order of `params.yaml`."""
    return tuple(_with_remedy(gate) for gate in _verdicts(gates, evidence))


def all_passed(verdicts: Iterable[Gate]) -> bool:
    return all(verdict.passed for verdict in verdicts)


def _with_remedy(gate: Gate) -> Gate:
    """Return the verdict with what to do, if its figure failed; an unknown one says so itself."""
    if gate.passed or gate.figure is None:
        return gate
    sentence = f"{gate.sentence}; {REMEDIES[gate.gate]}"
    return msgspec.structs.replace(gate, sentence=sentence)


def _verdicts(gates: Gates, evidence: Evidence) -> Iterator[Gate]:
    metrics = evidence.metrics
    most = [
        ("max_brier", "Brier score", metrics.get("brier"), gates.max_brier, ""),
        (
            "max_calibration_error",
            _calibration_error(metrics),
            metrics.get("expected_calibration_error"),
            gates.max_calibration_error,
            "",
        ),
        (
            "max_subgroup_gap",
            "largest difference of ROC AUC between subgroups",
            metrics.get("subgroup_gap"),
            gates.max_subgroup_gap,
            "",
        ),
        ("max_size_mb", "the model's size", evidence.size_mb, gates.max_size_mb, " MB"),
        ("max_latency_ms", "a row's answer", evidence.latency_ms, gates.max_latency_ms, " ms"),
        (
            "parity",
            "largest difference from scikit-learn's probability",
            evidence.onnx_difference,
            PARITY_TOLERANCE,
            "",
        ),
    ]
    yield from _ranks(metrics, gates.min_roc_auc)
    if gates.max_brier is None:
        yield _better_than_base_rate(metrics)
    if gates.max_calibration_error is None:
        yield _calibrated(metrics)
    for gate, what, figure, bound, unit in most:
        if bound is not None:
            yield _at_most(gate, what, figure, bound, unit)
    yield from _unbiased(metrics, gates.max_bias)
    yield _not_worse(evidence.champion, gates.max_roc_auc_drop)
    yield _compatible(evidence.champion)


def _ranks(metrics: Mapping[str, float], bound: float | None) -> tuple[Gate, ...]:
    """Judge the ROC AUC by its bound; without one by chance and by the baseline."""
    what, low = "lower end of the ROC AUC", metrics.get("roc_auc_low", float("nan"))
    if bound is not None:
        return (_at_least("min_roc_auc", what, low, bound),)
    passed = low > CHANCE
    relation = "above" if passed else "not above"
    sentence = f"{what}, {format_metric(low)}, is {relation} {CHANCE:g}, which is chance"
    above_chance = Gate("min_roc_auc", passed, sentence, low, CHANCE)
    return (above_chance, _near_baseline(metrics))


def _near_baseline(metrics: Mapping[str, float]) -> Gate:
    gate = "baseline"
    if not {"roc_auc", "baseline_roc_auc"} <= metrics.keys():
        return Gate(gate, False, f"ROC AUC of logistic regression {UNKNOWN}")
    figure, baseline = metrics["roc_auc"], metrics["baseline_roc_auc"]
    bound = baseline - BEHIND_BASELINE
    passed = figure >= bound
    relation = "at most" if passed else "more than"
    sentence = (
        f"ROC AUC, {format_metric(figure)}, is {relation} {BEHIND_BASELINE:g} below that of "
        f"logistic regression, {format_metric(baseline)}"
    )
    return Gate(gate, passed, sentence, figure, bound)


def _of_several(metrics: Mapping[str, float]) -> bool:
    """True if the figures are of more than two classes, which `evaluate` counts."""
    return metrics.get("classes", 2) > 2


def _calibration_error(metrics: Mapping[str, float]) -> str:
    of_which = " of the likeliest class" if _of_several(metrics) else ""
    return f"expected calibration error{of_which}"


def _better_than_base_rate(metrics: Mapping[str, float]) -> Gate:
    gate = "max_brier"
    if not {"brier", "base_rate_brier"} <= metrics.keys():
        return Gate(gate, False, f"Brier score of the base rate {UNKNOWN}")
    figure, bound, several = metrics["brier"], metrics["base_rate_brier"], _of_several(metrics)
    passed = figure < bound
    relation = "below" if passed else "not below"
    sentence = (
        f"Brier score, {format_metric(figure)}, is {relation} {format_metric(bound)}, that of "
        f"always predicting {'the share of each class' if several else 'the share of positives'}"
    )
    return Gate(gate, passed, sentence, figure, bound)


def _calibrated(metrics: Mapping[str, float]) -> Gate:
    """Compare the calibration error with the one that chance alone gives on so many rows."""
    gate = "max_calibration_error"
    names = ("expected_calibration_error", "chance_calibration_error")
    if not set(names) <= metrics.keys():
        return Gate(gate, False, f"the calibration error that chance gives {UNKNOWN}")
    error, chance = (metrics[name] for name in names)
    bound = chance + BEYOND_CHANCE
    passed = error <= bound
    sentence = (
        f"{_calibration_error(metrics)}, {format_metric(error)}, is "
        f"{'within' if passed else 'not within'} {BEYOND_CHANCE:g} of "
        f"{format_metric(chance)}, which chance alone can give on so many rows"
    )
    return Gate(gate, passed, sentence, error, bound)


def _unbiased(metrics: Mapping[str, float], bound: float | None) -> tuple[Gate, ...]:
    """Compare the bias with its bound, after what chance explains at 95 %; none without a bound."""
    gate = "max_bias"
    if bound is None:
        return ()
    if not {"bias", "bias_standard_error"} <= metrics.keys():
        return (
            Gate(
                gate, False, "mean prediction against share of positives is not known", None, bound
            ),
        )
    bias, chance = metrics["bias"], NORMAL_95 * metrics["bias_standard_error"]
    figure = max(abs(bias) - chance, 0.0)  # in this order a figure that is no number stays one
    passed = figure <= bound
    what = (
        "mean prediction of the class furthest off, {} from its share,"
        if _of_several(metrics)
        else "mean prediction, {} from the share of positives,"
    )
    sentence = (
        f"{what.format(f'{bias:+.4f} (±{chance:.4f})')} is "
        f"{'within' if passed else 'surely beyond'} {bound:g}"
    )
    return (Gate(gate, passed, sentence, figure, bound),)


def _at_least(gate: str, what: str, figure: float, bound: float) -> Gate:
    passed = figure >= bound
    relation = "at least" if passed else "below"
    sentence = f"{what}, {format_metric(figure)}, is {relation} {bound:g}"
    return Gate(gate, passed, sentence, figure, bound)


def _at_most(gate: str, what: str, figure: float | None, bound: float, unit: str) -> Gate:
    if figure is None:
        return Gate(gate, False, f"{what} is not known", None, bound)
    passed = figure <= bound
    relation = "at most" if passed else "above"
    sentence = f"{what}, {format_metric(figure)}{unit}, is {relation} {bound:g}{unit}"
    return Gate(gate, passed, sentence, figure, bound)


def _not_worse(champion: Champion | None, margin: float) -> Gate:
    """Hold the lower end of the difference to the margin: non-inferiority, not a better figure."""
    gate = "max_roc_auc_drop"
    if champion is None:
        return Gate(gate, True, "production has no other version to compare with", None, margin)
    found = champion.difference
    if isinstance(found, str):
        sentence = f"cannot be compared with {champion}: {found}"
        return Gate(gate, False, sentence, None, margin)
    passed = found.low >= -margin
    relation = "within" if passed else "not surely within"
    sentence = (
        f"ROC AUC {found.difference:+.4f} ({found.low:+.4f} to {found.high:+.4f}) against "
        f"{champion}, on {champion.rows}, is {relation} a loss of {margin:g}"
    )
    return Gate(gate, passed, sentence, found.low, -margin)


def _compatible(champion: Champion | None) -> Gate:
    gate = "contract"
    if champion is None:
        return Gate(gate, True, "production has no other contract to keep")
    changes = champion.breaking_changes
    if not changes:
        sentence = f"requests that {champion} takes still work"
        if champion.new_classes:
            sentence += f"; answers may be of a new class: {', '.join(champion.new_classes)}"
        return Gate(gate, True, sentence, 0.0, 0.0)
    sentence = f"breaks callers of {champion}: {'; '.join(changes)}"
    return Gate(gate, False, sentence, float(len(changes)), 0.0)
