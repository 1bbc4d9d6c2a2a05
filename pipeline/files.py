"""Files: never half-written, and the conflicts that git left in them."""

import os
from pathlib import Path

import msgspec

CONFLICT = ("<<<<<<< ", ">>>>>>> ")  # markers of git; "=======" may be the user's own


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it into it, making the folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def json_text(data: object) -> str:
    """Write data as JSON for people too: indented, with a line's end."""
    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode() + "\n"


def project_root() -> Path:
    """Return the project's folder, also from within the temporary copy that runs an experiment."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


def conflict_line(text: str) -> int | None:
    """Return the number of the first line with a conflict marker of git, None without one."""
    lines = enumerate(text.splitlines(), 1)
    return next((number for number, line in lines if line.startswith(CONFLICT)), None)
