"""The words of a column's name, and what they say of its values. Pure."""

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

# Measures of a body, none of which is 0 in anybody who lives: some tables write 0 for "not known".
BODY_MEASURES = (
    *("glucose", "insulin", "cholesterol", "creatinine", "albumin", "hemoglobin", "haemoglobin"),
    *("triglyceride", "bloodpressure", "systolic", "diastolic", "restingbp", "skinthickness"),
    *("triceps", "bodymass", "bodyweight", "bodyheight", "heartrate", "pulse", "waist"),
)
SHORT_BODY_MEASURES = frozenset({"bmi", "bp", "sbp", "dbp", "hdl", "ldl", "height", "weight"})


def name_words(name: str) -> set[str]:
    """Return the words of a name in small letters: those of `customerNumber` and `user_id`."""
    return {word.lower() for word in _WORD.findall(name)}


def is_body_measure(name: str) -> bool:
    """True if a column is a measure of a body by its name."""
    letters = re.sub(r"[\W\d_]", "", name).lower()
    return bool(name_words(name) & SHORT_BODY_MEASURES) or any(
        measure in letters for measure in BODY_MEASURES
    )
