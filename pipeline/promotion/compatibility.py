"""Whether those who call the model in production could call another without a change."""

from serving.model.cells import to_text
from serving.model.contract import Contract, Feature
from serving.model.validation import listed


def breaking_changes(old: Contract, new: Contract) -> list[str]:
    """Return what a caller of `old` may do that `new` would refuse or misread, a few words each.

    What is only wider - a limit, one category more, what may now be missing - breaks nobody. Nor
    does a class more, if the numbers of the others stay: `new_classes` has it.
    """
    changes = _of_classes(old, new)
    now = {feature.name: feature for feature in new.features}
    before = {feature.name: feature for feature in old.features}
    changes += [f"{name} is removed" for name in before if name not in now]
    changes += [f"{name} is new, and must be given" for name in now if name not in before]
    for name in before:
        if name in now:
            changes += [f"{name} {change}" for change in _of_feature(before[name], now[name])]
    return changes


def new_classes(old: Contract, new: Contract) -> list[str]:
    """Return the classes that only `new` answers with."""
    return [str(name) for name in new.classes if name not in old.classes]


def outcome(contract: Contract) -> str:
    """Name what a model predicts: the target with its positive class, or with all of several."""
    if contract.is_binary:
        return f"{contract.target} {contract.classes[1]}"
    return f"{contract.target}: {listed([str(name) for name in contract.classes])}"


def _of_classes(old: Contract, new: Contract) -> list[str]:
    """Return what those who read the answers would stumble over.

    They have the class by its name; over the protocols of MLflow and KServe by its number.
    """
    binary = old.is_binary or new.is_binary
    if old.target != new.target or (binary and old.classes != new.classes):
        return [f"it predicts {outcome(new)}, not {outcome(old)}"]
    number = {name: place for place, name in enumerate(new.classes)}
    removed = [f"class {name} is removed" for name in old.classes if name not in number]
    moved = [
        f"{name} {number[name]}, not {place}"
        for place, name in enumerate(old.classes)
        if number.get(name, place) != place
    ]
    return removed + ([f"classes have other numbers: {listed(moved)}"] if moved else [])


def _of_feature(old: Feature, new: Feature) -> list[str]:
    changes = []
    if old.type != new.type and (old.type, new.type) != ("integer", "number"):
        changes.append(f"is of type {new.type}, not {old.type}")
    if old.date_format != new.date_format and old.type == new.type:
        changes.append(f"is written as {new.date_format}, not as {old.date_format}")
    if old.unit != new.unit:
        changes.append(f"is in {new.unit or 'no unit'}, not in {old.unit or 'no unit'}")
    if old.nullable and not new.nullable:
        changes.append("may no longer be missing")
    if gone := [value for value in old.missing_values if value not in new.missing_values]:
        changes.append(f"no longer takes {', '.join(map(to_text, gone))} for missing")
    if new.unseen == "refuse":
        known = new.codes
        if lost := [text for text in (*old.categories, *old.grouped) if text not in known]:
            changes.append(f"may no longer be {', '.join(lost)}")
        if old.unseen != "refuse":
            changes.append("may no longer be a text that is not among its categories")
    if new.minimum is not None and (old.minimum is None or new.minimum > old.minimum):
        changes.append(f"must be at least {to_text(new.minimum)}")
    if new.maximum is not None and (old.maximum is None or new.maximum < old.maximum):
        changes.append(f"must be at most {to_text(new.maximum)}")
    return changes
