"""A project's folder that was moved, or copied with its store: MLflow wrote down absolute paths.

MLflow keeps the address of each run's and each model's files as it was when they were written
(mlflow#3144), and would go on writing there. In a sqlite store the addresses can be corrected.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pipeline.files import project_root
from pipeline.tracking.locks import WORKSPACE_TAG, workspace

ARTIFACTS = "mlruns"
# Where MLflow 3 keeps addresses: table and column.
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)


@dataclass(frozen=True)
class Move:
    """A project's folder as the store has it, and where the project is now."""

    before: Path
    now: Path
    database: Path

    def correct(self) -> Path:
        """Write the folder's place into all addresses; return the copy that was made before."""
        backup = self.database.with_name(f"{self.database.name}.before-move")
        with closing(sqlite3.connect(self.database)) as connection, connection:
            with closing(sqlite3.connect(backup)) as copy:
                connection.backup(copy)
            for table, column in COLUMNS:
                for old, new in self._addresses():
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                        f"WHERE substr({column}, 1, ?) = ?",
                        (new, len(old) + 1, len(old), old),
                    )
            # Else what was interrupted before would stay RUNNING: it is nobody's to go on with.
            ours = f":{self.before}"
            connection.execute(
                "UPDATE tags SET value = ? WHERE key = ? AND substr(value, ?) = ?",
                (workspace(self.now), WORKSPACE_TAG, -len(ours), ours),
            )
        return backup

    def _addresses(self) -> list[tuple[str, str]]:
        """Return the folder of artifacts as MLflow writes it: an address, or a path alone."""
        old, new = self.before / ARTIFACTS, self.now / ARTIFACTS
        return [(f"{old.as_uri()}/", f"{new.as_uri()}/"), (f"{old}/", f"{new}/")]


def find_move(location: str, database: Path | None) -> Move | None:
    """Return where the project was moved or copied from, by its experiment's artifact address.

    None where the address is right, is not of this machine's disk, or is another project's, with
    which this one shares a store.
    """
    if database is None or not location.startswith("file:"):
        return None
    path, now = Path(unquote(urlsplit(location).path)), project_root()
    here = now / ARTIFACTS / path.name
    if path == here or path.parent.name != ARTIFACTS:
        return None
    # A store of our own that names another folder came from there, with its files or without.
    own_store = database.resolve().parent == now
    moved = own_store or (here.is_dir() and not path.exists())
    return Move(path.parent.parent, now, database) if moved else None
