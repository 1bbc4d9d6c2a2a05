"""Whether those who call the model in production could call another without a change."""

from serving.model.cells import to_text
from serving.model.contract import Contract, Feature


def breaking_changes(old: Contract, new: Contract) -> list[str]:
    """Return what a caller of `old` may do that `new` would refuse or misread, a few words each.

    What is only wider - a limit, one category more, what may now be missing - breaks nobody.
    """
    changes = []
    if (old.target, old.classes) != (new.target, new.classes):
        changes.append(
            f"it predicts {new.target} {new.classes[1]}, not {old.target} {old.classes[1]}"
        )
    now = {feature.name: feature for feature in new.features}
    before = {feature.name: feature for feature in old.features}
    changes += [f"{name} is removed" for name in before if name not in now]
    changes += [f"{name} is new, and must be given" for name in now if name not in before]
    for name in before:
        if name in now:
            changes += [f"{name} {change}" for change in _of_feature(before[name], now[name])]
    return changes


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
