"""`dvc repro`, forced from scratch on an empty tracking store, beside the guides' way.

    python -m bench.pipeline [RUNS]

The two run in turn on the same machine; the ratio of the medians is what to quote.
"""

import shutil
import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.project import ROOT, TABLE, copy_project, run, seconds

GUIDES = ROOT / "bench" / "guides"
WRITTEN = ("mlflow.db", "mlruns", "mlartifacts")


def main(runs: int) -> None:
    with TemporaryDirectory() as folder:
        ours = copy_project(Path(folder, "ours"))
        guides = _guides_project(Path(folder, "guides"))
        measured: dict[str, list[float]] = {"ours": [], "guides": []}
        for number in range(runs):
            for name, path in (("ours", ours), ("guides", guides)):
                measured[name].append(_repro_from_scratch(path))
                print(f"run {number + 1}: {name} {measured[name][-1]:.2f} s", file=sys.stderr)
        again = seconds(ours, "dvc", "repro", "--quiet")
    ours_s, guides_s = (statistics.median(measured[name]) for name in ("ours", "guides"))
    print("| wall time, median | s |\n|---|---|")
    print(f"| dvc repro, from scratch | {ours_s:.1f} |")
    print(f"| the same steps the guides' way | {guides_s:.1f} |")
    print(f"| ratio | {ours_s / guides_s:.2f} |")
    print(f"| dvc repro, with nothing to do (one run) | {again:.1f} |")


def _guides_project(folder: Path) -> Path:
    shutil.copytree(GUIDES, folder)
    shutil.copyfile(ROOT / TABLE, folder / "diabetes.csv")
    run(folder, "git", "init", "--quiet")
    run(folder, "dvc", "init", "--quiet")
    return folder


def _repro_from_scratch(folder: Path) -> float:
    for name in WRITTEN:
        path = folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
    return seconds(folder, "dvc", "repro", "--force", "--quiet")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
