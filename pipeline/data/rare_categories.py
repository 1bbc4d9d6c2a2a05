"""Group the categories that are too rare to learn from."""

import msgspec
import numpy as np

from pipeline.data.problems import listed
from serving.model.contract import Contract, Feature, FloatMatrix


def group_rare(contract: Contract, X: FloatMatrix, fewest: int) -> tuple[Contract, tuple[str, ...]]:
    """Return a contract that groups the categories with fewer than `fewest` training rows.

    `X` `[training rows, features]` is coded by the contract as it came. Gives a note for each
    feature that has such categories.
    """
    features, notes = [], []
    for feature, x in zip(contract.features, X.T, strict=True):
        rare = _rare(feature, x, fewest)
        features.append(_without(feature, rare))
        if rare:
            notes.append(
                f"column {feature.name}: {len(rare)} categories with fewer than {fewest} training "
                f"rows are grouped as one (data.min_category_rows): {listed(rare)}"
            )
    return msgspec.structs.replace(contract, features=tuple(features)), tuple(notes)


def _rare(feature: Feature, x: FloatMatrix, fewest: int) -> tuple[str, ...]:
    """Return the rare categories: none where a group would be no more than one of them, or all."""
    if feature.type != "category":
        return ()
    known = x[~np.isnan(x)].astype(np.int64)
    rows = np.bincount(known, minlength=feature.code_count)
    rare = tuple(
        text for text, count in zip(feature.categories, rows, strict=False) if count < fewest
    )
    several = len(rare) > 1 or (len(rare) == 1 and feature.unseen == "other")
    return rare if several and len(rare) < len(feature.categories) else ()


def _without(feature: Feature, rare: tuple[str, ...]) -> Feature:
    own = tuple(text for text in feature.categories if text not in set(rare))
    return msgspec.structs.replace(feature, categories=own, grouped=rare) if rare else feature
