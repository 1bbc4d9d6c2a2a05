"""The tracking store's address: where it comes from, and whether MLflow can use it."""

import os
import re
from difflib import get_close_matches
from pathlib import Path

from pipeline.errors import StoreUnreachableError
from pipeline.files import project_root

VARIABLE = "MLFLOW_TRACKING_URI"
SQLITE = "sqlite:///"
SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks", "databricks-uc")


def tracking_uri() -> str:
    """Return the store's address: MLFLOW_TRACKING_URI, or mlflow.db in the project.

    A relative sqlite file is taken from the project's folder, so that an experiment in DVC's
    temporary copy logs to the one store.

    Raises StoreUnreachableError for an address that MLflow cannot use.
    """
    uri = os.environ.get(VARIABLE) or f"{SQLITE}mlflow.db"
    check(uri)
    if uri.startswith(SQLITE) and not uri.startswith(SQLITE + "/"):
        return f"{SQLITE}{project_root() / uri.removeprefix(SQLITE)}"
    return uri


def check(uri: str) -> None:
    """Raise StoreUnreachableError for an address that MLflow cannot use, with what to write."""
    scheme, is_address, _ = uri.partition("://")
    if uri.startswith("file:") or Path(uri).is_dir():
        folder = Path(uri.removeprefix("file:").removeprefix("//")).absolute()
        raise StoreUnreachableError(
            f"{VARIABLE} is {uri}, and MLflow keeps runs in a folder no longer: write "
            f"{SQLITE}{folder}/mlflow.db; `mlflow migrate-filestore` takes its runs along"
        )
    if not is_address and uri not in SCHEMES:
        raise StoreUnreachableError(
            f"{VARIABLE} is {uri}, without a scheme: write http://{uri} if it is a server, "
            f"{SQLITE}{Path(uri).absolute()} if it is a file"
        )
    dialect = scheme.partition("+")[0].lower()
    if dialect not in SCHEMES:
        likely = get_close_matches(dialect, SCHEMES, 1)
        meant = f"write {likely[0]}://{without_password(uri).partition('://')[2]}" if likely else ""
        known = f"MLflow knows {', '.join(SCHEMES)}"
        raise StoreUnreachableError(
            f"{VARIABLE} begins with {scheme}://, which is no store of MLflow's: {meant or known}"
        )


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a sqlite store, None for another one."""
    return Path(uri.removeprefix(SQLITE).partition("?")[0]) if uri.startswith(SQLITE) else None


def without_password(uri: str) -> str:
    return re.sub(r"://[^@/]*@", "://***@", uri)
