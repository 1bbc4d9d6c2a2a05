"""Tell the values of a column from the words that mean missing. Pure: texts in."""

import pandas as pd

from pipeline.profiling.columns.sentinels import stands_for_missing
from serving.model.cells import ABSENT, BOOLEANS, NUMBER, is_mark

MOST = 0.9
FEWEST_CODES = 2  # beside which NA is one more

_NUMBER_OR_BOOLEAN = rf"(?i:{NUMBER.pattern}|{'|'.join(BOOLEANS)})"


def present_and_known(text: "pd.Series[str]") -> "tuple[pd.Series[str], pd.Series[str]]":
    """Return the cells that are not absent, and those of them that do not mean missing.

    Among numbers and booleans all words for missing are absent; a category may list some of them.
    """
    words = text.unique()
    known = text[~text.isin([word for word in words if is_mark(word)])]
    if known.nunique() > 1 and known.str.fullmatch(_NUMBER_OR_BOOLEAN).mean() >= MOST:
        return known, known
    categories = category_words(text)
    present = text[~text.isin(ABSENT - categories)]
    marks = [word for word in words if _is_missing(word) and word not in categories]
    known = present[~present.isin(marks)]
    # With one value, or none, `-` is not beside the values, but one of them.
    return present, known if known.nunique() > 1 else present


def _is_missing(word: str) -> bool:
    """True if a text beside categories means missing; `none` is one of them (of a quantity)."""
    return stands_for_missing(word) or (is_mark(word) and word.lower() != "none")


def category_words(text: "pd.Series[str]") -> frozenset[str]:
    """Return the words for missing that are categories here, such as NA for North America.

    They plainly are where all other texts are such codes too: of equal length, in capitals.
    """
    others = {word for word in text.unique() if word not in ABSENT}
    lengths = {len(word) for word in others}
    if len(others) < FEWEST_CODES or len(lengths) > 1 or not all(map(_is_code, others)):
        return frozenset()
    return frozenset(word for word in ABSENT if _is_code(word) and {len(word)} == lengths)


def _is_code(word: str) -> bool:
    return word.isalpha() and word.isupper()
