"""A row as words of a command line: values in the model's order, or Name=value."""

from collections.abc import Sequence

from serving.contract import Contract

Cell = float | bool | str | None
WORDS: dict[str, Cell] = {"": None, "-": None, "null": None, "true": True, "false": False}


class ArgumentsError(ValueError):
    """Words that make no row, with what is expected in one sentence."""


def to_row(contract: Contract, words: Sequence[str]) -> dict[str, Cell]:
    """Make a row for `contract.to_matrix`; what is no number is left to it to refuse."""
    named = [word for word in words if "=" in word]
    if named and len(named) < len(words):
        raise ArgumentsError("Give every value by position, or every one as Name=value.")
    pairs = [_pair(word) for word in words] if named else _by_position(contract, words)
    repeated = sorted({name for name, _ in pairs if [n for n, _ in pairs].count(name) > 1})
    if repeated:
        raise ArgumentsError(f"{repeated[0]} is given twice.")
    return {name: _cell(text) for name, text in pairs}


def _by_position(contract: Contract, words: Sequence[str]) -> list[tuple[str, str]]:
    names = contract.names
    if len(words) != len(names):
        raise ArgumentsError(
            f"{len(words)} values are given, {len(names)} expected: {' '.join(names)}."
        )
    return list(zip(names, words, strict=True))


def _pair(word: str) -> tuple[str, str]:
    # A name may hold a `=`, a value never does.
    name, _, value = word.rpartition("=")
    return name, value


def _cell(text: str) -> Cell:
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        number = float(text)
    except ValueError:
        # The shell may hand over bytes that are no text; they are no number either way.
        return text.encode(errors="replace").decode()
    # NaN would pass for a missing value.
    return text if number != number else number
