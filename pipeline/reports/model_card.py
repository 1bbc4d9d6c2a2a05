"""The model card of a version: facts in, Markdown and a page out.

It has the sections and the front matter of Hugging Face's cards (Mitchell et al. 2019, "Model Cards
for Model Reporting"; https://huggingface.co/docs/hub/model-cards). It says nothing of stages: they
move, and the card stays true.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

import msgspec
import pandas as pd
from markdown_it import MarkdownIt

from pipeline.evaluation.baseline import format_verdict
from pipeline.evaluation.importance import format_share, shares_of, suspected_leak
from pipeline.evaluation.metrics import format_metric
from pipeline.params import CardTexts
from pipeline.registry.references import Version
from pipeline.reports.client_examples import calls
from pipeline.reports.figure_words import in_words
from pipeline.reports.render import render
from serving.model.cells import to_text, write_value
from serving.model.contract import Contract, Feature
from serving.model.validation import listed

RULES = {
    "youden": "the highest Youden index (recall + specificity − 1)",
    "f1": "the highest F1",
    "accuracy": "the highest accuracy",
    "cost": "the lowest cost",
}
SHARES = {  # of which counts each is a share
    "accuracy": (("true_positives", "true_negatives"), ("false_positives", "false_negatives")),
    "precision": (("true_positives",), ("false_positives",)),
    "recall": (("true_positives",), ("false_negatives",)),
    "specificity": (("true_negatives",), ("false_positives",)),
}
OF_SEVERAL = ("balanced_accuracy", "f1", "f1_weighted")  # classes, beside the accuracy
PLAIN = ("average_precision", "brier", "log_loss", "expected_calibration_error", "bias")
MOST_IMPORTANT = 10  # features
UNKNOWN_LICENSE = "unknown"


@dataclass(frozen=True)
class CardFacts:
    """The facts of a card: the version with its run, its contract, and its evaluation's tables.

    A table is None where the run has none, which earlier versions of this project wrote.
    """

    version: Version
    contract: Contract
    texts: CardTexts
    calibration: pd.DataFrame | None = None
    subgroups: pd.DataFrame | None = None
    classes: pd.DataFrame | None = None
    importance: pd.DataFrame | None = None

    @property
    def several(self) -> bool:
        """True if there are more than two classes; then `calibration` is of the likeliest."""
        return not self.contract.is_binary

    @property
    def title(self) -> str:
        return f"{self.version.name}, version {self.version.number}"

    @property
    def confidence(self) -> float:
        return float(self.version.params.get("evaluate.confidence", 0.95))


def body(facts: CardFacts) -> str:
    """Write the card as Markdown, without its front matter."""
    version, contract = facts.version, facts.contract
    # Older versions have what the settings say alone.
    asked = version.params.get("grid_search.approximation", "none")
    kernel = version.params.get("search.approximation", asked)
    return render(
        "model_card.md",
        title=facts.title,
        texts=facts.texts,
        version=version,
        contract=contract,
        params=version.params,
        approximated=kernel != "none",
        datasets=version.datasets,
        features=[_feature_row(feature) for feature in contract.features],
        confidence=f"{facts.confidence:.0%}",
        figures=figures(version.metrics, facts.confidence),
        test=_test_metrics(version.metrics),
        baseline=_baseline(version.metrics, facts.confidence),
        rule=_rule(version.params),
        calibration=_records(facts.calibration),
        subgroups=_records(facts.subgroups),
        several=facts.several,
        classes=_records(facts.classes),
        importance=_importance(facts.importance),
        suspicion=suspected_leak({} if facts.importance is None else shares_of(facts.importance)),
        calls=calls(contract),
        cell=_cell,
    )


def markdown(facts: CardFacts) -> str:
    """Write the whole card, with the YAML front matter that model hubs read."""
    return f"---\n{msgspec.yaml.encode(front_matter(facts)).decode()}---\n\n{body(facts)}"


def page(facts: CardFacts, images: Mapping[str, bytes]) -> str:
    """Write the card as one page; `images` are the run's plots as PNG, by their names."""
    # Without raw HTML: what a user writes into a description stays text.
    converter = MarkdownIt("commonmark", {"html": False}).enable("table")
    plots = {name: b64encode(image).decode() for name, image in images.items()}
    return render("card.html", title=facts.title, body=converter.render(body(facts)), images=plots)


def front_matter(facts: CardFacts) -> dict[str, Any]:
    version, source = facts.version, facts.version.params.get("data.file", "unknown")
    test = _test_metrics(version.metrics)
    measured = {"roc_auc": "ROC AUC", "brier": "Brier score", "recall": "Recall", "f1": "F1"}
    results = [
        {"type": key, "name": name, "value": round(test[key], 6)}
        for key, name in measured.items()
        if key in test
    ]
    return {
        "library_name": "onnx",
        "license": facts.texts.license or UNKNOWN_LICENSE,
        "pipeline_tag": "tabular-classification",
        "tags": ["tabular-classification", "svm", "onnx", "scikit-learn", "mlflow"],
        "metrics": [entry["type"] for entry in results],
        "model-index": [
            {
                "name": version.name,
                "results": [
                    {
                        "task": {"type": "tabular-classification"},
                        "dataset": {
                            "name": source,
                            "type": "csv",
                            "split": "test",
                            "revision": version.tags.get("data.digest", "unknown"),
                        },
                        "metrics": results,
                    }
                ],
            }
        ],
    }


def figures(metrics: Mapping[str, float], confidence: float) -> dict[str, tuple[str, str]]:
    """Return each figure of the test rows with its interval, as far as it has one.

    That of the ROC AUC is the run's own; those of shares of rows are Wilson's (1927).
    """
    test = _test_metrics(metrics)
    interval = _range(test, "roc_auc_low", "roc_auc_high")
    found = {in_words("roc_auc"): (format_metric(test.get("roc_auc"), ""), interval)}
    for name, (hits, trials) in _shares(test).items():
        low, high = wilson_interval(hits, trials, confidence)
        found[name] = (format_metric(test.get(name), ""), f"{low:.4f} to {high:.4f}")
    names = (*OF_SEVERAL, *PLAIN) if "classes" in test else PLAIN
    plain = {in_words(name): (format_metric(test[name]), "") for name in names if name in test}
    return {**found, **plain}


def _shares(test: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Return the hits and the trials behind each figure that is a share of rows."""
    if "classes" in test:
        return {"accuracy": (test["accuracy"] * test["rows"], test["rows"])}
    return {
        name: (
            hit := sum(test.get(key, 0) for key in hits),
            hit + sum(test.get(k, 0) for k in misses),
        )
        for name, (hits, misses) in SHARES.items()
    }


def wilson_interval(hits: float, trials: float, confidence: float) -> tuple[float, float]:
    """Return the score interval of a share; without trials it is all from 0 to 1."""
    if not trials:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = hits / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z * sqrt(share * (1 - share) / trials + weight / trials / 4) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


def _test_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    return {
        key.removeprefix("test_"): value
        for key, value in metrics.items()
        if key.startswith("test_")
    }


def _baseline(metrics: Mapping[str, float], confidence: float) -> str:
    """Return the sentence on the baseline; nothing of a run that has none, as earlier ones."""
    test = _test_metrics(metrics)
    return format_verdict(test, confidence) if "baseline_roc_auc" in test else ""


def _rule(params: Mapping[str, str]) -> str:
    rule = params.get("grid_search.threshold", "")
    if rule != "cost":
        return RULES.get(rule, "a rule not recorded")
    of_fp, of_fn = (
        float(params[f"grid_search.cost.false_{end}"]) for end in ("positive", "negative")
    )
    return f"{RULES[rule]}, {of_fp:g} for a false positive and {of_fn:g} for a false negative,"


def _feature_row(feature: Feature) -> dict[str, str]:
    stands_for = ", ".join(map(to_text, feature.missing_values))
    missing = f"yes; also {stands_for}" if stands_for else "yes"
    low, high = feature.minimum, feature.maximum
    limits = "" if low is None and high is None else f"{_end(low)} to {_end(high)}"
    seen = feature.training_range
    return {
        "name": feature.name,
        "type": feature.type,
        "unit": feature.unit,
        "limits": _categories(feature) or limits,
        "seen": " to ".join(write_value(feature, end) for end in seen) if seen else "",
        "missing": missing if feature.nullable or stands_for else "no",
        "description": feature.description,
    }


def _categories(feature: Feature) -> str:
    if not feature.categories:
        return ""
    rare = f"; {len(feature.grouped)} rare ones as one" if feature.grouped else ""
    return f"{listed(feature.categories)}{rare}"


def _end(limit: float | None) -> str:
    return "any" if limit is None else to_text(limit)


def _records(table: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Return a table's rows, with figures as text and nothing where there is none."""
    if table is None:
        return []
    return [
        {
            str(key): format_metric(value, "") if isinstance(value, float) else value
            for key, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def _importance(table: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Return the most important features, with their shares in percent."""
    if table is None:
        return []
    largest = table.head(MOST_IMPORTANT)
    shown = zip(_records(largest), largest.to_dict("records"), strict=True)
    return [{**row, "share": format_share(figures_)} for row, figures_ in shown]


def _range(figures_: Mapping[str, float], low: str, high: str) -> str:
    if low not in figures_ or high not in figures_:
        return ""
    return f"{format_metric(figures_[low])} to {format_metric(figures_[high])}"


def _cell(text: object) -> str:
    """Write a text into a table's cell, which ends at a bar and at a line's end."""
    return " ".join(str(text).split()).replace("|", "\\|")
