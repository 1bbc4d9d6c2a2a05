"""What metrics are called for people, and which way is better."""

WORDS = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "log_loss": "log loss",
    "expected_calibration_error": "calibration error",
    "chance_calibration_error": "calibration error of chance",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "f1_weighted": "F1, classes weighted by their rows",
    "subgroup_gap": "gap of ROC AUC between subgroups",
    "bias_standard_error": "standard error of bias",
    "baseline_roc_auc_difference": "ROC AUC minus logistic regression's",
    "baseline_brier_difference": "Brier score minus logistic regression's",
}
OWNERS = {"baseline_": "of logistic regression", "base_rate_": "of the base rate"}
HIGHER, LOWER = "higher", "lower"
BETTER = {
    **dict.fromkeys(("roc_auc", "average_precision", "accuracy", "balanced_accuracy"), HIGHER),
    **dict.fromkeys(("precision", "recall", "specificity", "f1", "f1_weighted"), HIGHER),
    **dict.fromkeys(("brier", "log_loss", "expected_calibration_error", "subgroup_gap"), LOWER),
}
TEST = "test_"  # before the name of a metric of the test rows, in MLflow


def in_words(metric: str) -> str:
    """Return a metric's name for people: that of a metric of the test rows without saying so."""
    name = metric.removeprefix(TEST)
    if name in WORDS:
        return WORDS[name]
    for prefix, owner in OWNERS.items():
        if name.startswith(prefix):
            return f"{in_words(name.removeprefix(prefix))} {owner}"
    return name.replace("_", " ")
