"""Choose the positive one of two classes by what their names say. Pure."""

import re
from collections.abc import Mapping

# A letter or a 1 says yes or no only beside its other: `f` is false beside `t`, female beside `m`.
PAIRS = {
    frozenset(pair): pair[1]
    for pair in (
        *(("0", "1"), ("-1", "1"), ("-", "+"), ("f", "t"), ("f", "v")),
        *(("n", "y"), ("n", "j"), ("n", "o"), ("n", "s")),
    )
}
YES = frozenset(
    {
        *("yes", "true", "positive", "pos", "present", "+1"),
        *("ja", "oui", "si", "sí", "sì", "sim", "da", "да", "tak", "ano", "áno", "igen", "kyllä"),
        *(
            "evet",
            "ναι",
            "是",
            "はい",
            "예",
            "네",
            "wahr",
            "vrai",
            "positiv",
            "positif",
            "positivo",
        ),
    }
)
NO = frozenset(
    {
        *("0", "-1", "no", "false", "negative", "neg", "absent", "none", "never"),
        *("nein", "non", "não", "nao", "nee", "nej", "nei", "ne", "нет", "nie", "nem", "ei"),
        *(
            "hayır",
            "hayir",
            "όχι",
            "否",
            "いいえ",
            "아니요",
            "falsch",
            "faux",
            "negativ",
            "négatif",
        ),
        *("stayed", "retained", "existing", "healthy", "normal", "benign", "control", "ham"),
        *("legitimate", "genuine"),
    }
)
NEGATIONS = frozenset(
    {
        *("no", "not", "non", "never", "without", "nicht", "kein", "keine", "ohne", "pas", "sans"),
        *("sin", "senza", "não", "nao", "geen", "niet", "existing"),
    }
)
PREFIXES = ("no", "not", "non", "un", "in", "dis")


def positive_class(counts: Mapping[str | int, int]) -> tuple[str | int, str]:
    """Return the positive one of two classes, with their rows, and why it was chosen.

    It is the one that says yes, or the other of one that says no, else the rarer.
    """
    by_text = {str(value).lower(): value for value in counts}
    if (yes := PAIRS.get(frozenset(by_text))) is not None:
        return by_text[yes], "which says yes"
    if len(sayers := [text for text in by_text if text in YES]) == 1:
        return by_text[sayers[0]], "which says yes"
    denied = [text for text in by_text if _says_no(text, {*by_text} - {text})]
    if len(denied) == 1:
        (positive,) = (value for text, value in by_text.items() if text != denied[0])
        return positive, f"since {by_text[denied[0]]} says no"
    return min(counts, key=lambda value: counts[value]), "the rarer class"


def _says_no(text: str, others: set[str]) -> bool:
    """True if a text is a word for no, begins with one, or is another's opposite."""
    if text in NO:
        return True
    first, *rest = re.split(r"[\s_-]+", text)
    opposite = any(text == prefix + other for prefix in PREFIXES for other in others)
    return opposite or (bool(rest) and first in NEGATIONS)
