"""The use case beside `predictor`: rows with their answers in, what made these answers out."""

from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from serving.errors import (
    FailedError,
    InvalidBodyError,
    NotFoundError,
    TooLargeError,
    explanation_overdue,
)
from serving.log import logger
from serving.model.contract import Contract, Feature, FloatMatrix
from serving.model.explained_class import Parts, take_class
from serving.model.explanation import Explainer
from serving.model.rows import Rows
from serving.model.runs import OverdueError
from serving.predictor import ModelInfo, Prediction, Scored, ServedModel, model_info, to_answer

FEWEST_BACKGROUND = 20  # rows: with fewer, what a feature does is a matter of luck

OF_TWO = (
    "Log-odds of the class: base + the sum of contributions = log_odds, and its probability is "
    "1 / (1 + exp(-log_odds)). This is about the model, not about causes."
)
OF_MORE = (
    "Log-odds of the class against all others, before the probabilities of the classes are divided "
    "by their sum: base + the sum of contributions = log_odds. This is about the model, not about "
    "causes."
)


class Contribution(msgspec.Struct, frozen=True, gc=False):
    """By how much a feature's value raises the log-odds of the class, or lowers them."""

    feature: str
    value: float | int | bool | str | None
    log_odds: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why a row gets its log-odds; the largest contributions come first, of whatever sign."""

    class_: str | int | bool = msgspec.field(name="class")
    base: float
    log_odds: float
    contributions: list[Contribution]


class ExplainedAnswer(msgspec.Struct, frozen=True):
    """The answer of `/predict`, and an explanation of each row.

    `background` is the number of training rows whose mean log-odds are the base.
    """

    predictions: list[Prediction]
    model: ModelInfo
    explanations: list[Explanation]
    background: int
    note: str


def class_place(contract: Contract, name: str | None) -> int | None:
    """Return the place of a class by its name; raises InvalidBodyError for what is none."""
    if name is None:
        return None
    names = [str(value) for value in contract.classes]
    if name not in names:
        # Of a true/false target answers have booleans, which JSON writes so.
        names = [str(value).lower() for value in contract.labels]
    if name not in names:
        listed = ", ".join(str(value) for value in contract.classes)
        raise InvalidBodyError(f"There is no class `{name[:80]}`; the classes are {listed}.")
    return names.index(name)


def explain(
    served: ServedModel,
    values: FloatMatrix,
    scored: Scored,
    place: int | None,
    products: int,
    *,
    until: float | None = None,
) -> Parts:
    """Take the log-odds of answered rows apart: of one class, or of that which `default_place` has.

    Raises NotFoundError where the version has no explanation, TooLargeError where rows need more
    than so many products of kernels, OverloadedError where it takes until after `until`, and
    FailedError where the parts do not make up the answers.
    """
    explainer = explainer_of(served)
    background = _background(explainer, len(values), products)
    try:
        found = explainer.explain(values, background, until=until)
    except OverdueError as error:
        raise explanation_overdue() from error
    answered = np.array(scored.probabilities if scored.by_class is None else scored.by_class)
    if reason := explainer.disagreement(found, answered):
        logger.error("%s cannot be explained: %s", served.version, reason)
        raise FailedError
    two = served.scorer.contract.is_binary
    return take_class(found, scored.labels, place, two=two)


def explainer_of(served: ServedModel) -> Explainer:
    """Return what explains a version; raises NotFoundError where it has no explanation."""
    if served.scorer.explainer is None:
        raise NotFoundError(
            f"Version {served.version.version} came without what explanations need: train and "
            "promote one with this release (`dvc repro`)."
        )
    return served.scorer.explainer


def to_explained_answer(
    served: ServedModel, rows: Rows, scored: Scored, parts: Parts
) -> ExplainedAnswer:
    contract, values = served.scorer.contract, rows.values
    # A text that shares its number with others is shown as it was sent.
    sent = {(each.row, each.feature): each.text for each in rows.unseen}
    explanations = [
        _explanation(contract, values[row], parts, row, sent) for row in range(len(values))
    ]
    return ExplainedAnswer(
        to_answer(served, scored).predictions,
        model_info(served),
        explanations,
        parts.background,
        OF_TWO if contract.is_binary else OF_MORE,
    )


def _background(explainer: Explainer, rows: int, products: int) -> int:
    """Return how many background rows there is time for; raises TooLargeError for too few."""
    affordable = explainer.background_for(rows, products)
    fewest = min(FEWEST_BACKGROUND, explainer.background)
    if affordable >= fewest:
        return affordable
    if at_once := explainer.rows_for(fewest, products):
        raise TooLargeError(
            f"So many rows take too long to explain with this model: send at most {at_once} at "
            "once."
        )
    raise TooLargeError(
        "This model is too large for its answers to be explained within SERVING_MAX_PRODUCTS."
    )


def _explanation(
    contract: Contract,
    values: FloatMatrix,
    parts: Parts,
    row: int,
    sent: Mapping[tuple[int, str], str],
) -> Explanation:
    contributions = parts.contributions[row]
    order = np.argsort(-np.abs(contributions), kind="stable")
    features: Sequence[Feature] = contract.features
    return Explanation(
        class_=contract.labels[parts.places[row]],
        base=float(parts.base[row]),
        log_odds=float(parts.base[row] + contributions.sum()),
        contributions=[
            Contribution(
                features[j].name,
                sent.get((row, features[j].name), _shown(features[j], float(values[j]))),
                float(contributions[j]),
            )
            for j in order.tolist()
        ],
    )


def _shown(feature: Feature, number: float) -> float | int | bool | str | None:
    """Return a number of a matrix as a caller has it: whole numbers and booleans as such."""
    value = feature.decode(number)
    if not isinstance(value, float):
        return value
    if feature.type == "boolean":
        return bool(value)
    return int(value) if value.is_integer() else value
