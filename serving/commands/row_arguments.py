"""A row as words of a command line: values in the model's order, or Name=value."""

from collections.abc import Sequence

from serving.model.contract import Contract, Feature

Cell = float | bool | str | None
WORDS: dict[str, Cell] = {"": None, "-": None, "null": None, "true": True, "false": False}


class ArgumentsError(ValueError):
    """Words that make no row, with what is expected in one sentence."""


def to_row(contract: Contract, words: Sequence[str]) -> dict[str, Cell]:
    """Make a row for `contract.to_matrix`; what is no number is left to it to refuse."""
    # A text may hold a `=` itself, such as `<=50K`.
    texts = {text for feature in contract.features for text in feature.codes}
    named = [word for word in words if "=" in word and word not in texts]
    if named and len(named) < len(words):
        raise ArgumentsError("Give every value by position, or every one as Name=value.")
    pairs = [_pair(contract, w) for w in words] if named else _by_position(contract, words)
    repeated = sorted({name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1})
    if repeated:
        raise ArgumentsError(f"{repeated[0]} is given twice.")
    features = {feature.name: feature for feature in contract.features}
    return {name: _cell(features.get(name), text) for name, text in pairs}


def _by_position(contract: Contract, words: Sequence[str]) -> list[tuple[str, str]]:
    names = contract.names
    if len(words) != len(names):
        raise ArgumentsError(
            f"{len(words)} values are given, {len(names)} expected: {' '.join(names)}."
        )
    return list(zip(names, words, strict=True))


def _pair(contract: Contract, word: str) -> tuple[str, str]:
    # A name may hold a `=`, and so may a text: the longest name that the model knows is meant.
    known = [name for name in contract.names if word.startswith(f"{name}=")]
    if known:
        name = max(known, key=len)
        return name, word[len(name) + 1 :]
    name, _, value = word.rpartition("=")
    return name, value


def _cell(feature: Feature | None, text: str) -> Cell:
    if feature is not None and feature.type in ("category", "date"):
        is_missing = WORDS.get(text.lower(), text) is None and text not in feature.codes
        return None if is_missing else text.encode(errors="replace").decode()
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        number = float(text)
    except ValueError:
        # The shell may hand over bytes that are no text; they are no number either way.
        return text.encode(errors="replace").decode()
    # NaN would pass for a missing value.
    return text if number != number else number
