"""What Schemathesis sends as text/csv: a string of any kind is no table, so tables are made here.

Schemathesis imports this by the variable SCHEMATHESIS_HOOKS; CSV_BODIES_OF names the contract.
"""

import csv
import io
import os

import schemathesis
from hypothesis import strategies as st

from serving.model.contract import Feature
from tests.e2e.running import CONTRACTS, EXPLAINED

CONTRACT = (CONTRACTS | EXPLAINED)[os.environ["CSV_BODIES_OF"]]
CELLS = {
    "number": ["", "0", "20", "122.5", "1e2", "1000"],
    "integer": ["18", "50", "120", "50.0"],
    "boolean": ["true", "false", "1", "0"],
}


def cells(feature: Feature) -> list[str]:
    if feature.type != "category":
        return CELLS[feature.type]
    others = ["", "hourly", "?"] if feature.unseen == "missing" else []
    return [*feature.categories, *others]


def to_bytes(rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([CONTRACT.names, *rows])
    return text.getvalue().encode()


row = st.tuples(*(st.sampled_from(cells(feature)) for feature in CONTRACT.features))
tables = st.lists(row, min_size=1, max_size=20).map(to_bytes)
schemathesis.openapi.media_type("text/csv", tables)
