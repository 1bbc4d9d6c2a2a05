"""`dvc repro`, forced from scratch on an empty tracking store, beside the guides' way.

    python -m bench.pipeline [RUNS]

The two run in turn on the same machine; the ratio of the medians is what to quote.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
GUIDES = ROOT / "bench" / "guides"
TABLE = "data/diabetes.csv"
OURS = ("pipeline", "serving", TABLE, "dvc.yaml", "params.yaml", ".dvc/config")
WRITTEN = ("mlflow.db", "mlruns", "mlartifacts")


def main(runs: int) -> None:
    with TemporaryDirectory() as folder:
        ours = _our_project(Path(folder, "ours"))
        guides = _guides_project(Path(folder, "guides"))
        seconds: dict[str, list[float]] = {"ours": [], "guides": []}
        for number in range(runs):
            for name, path in (("ours", ours), ("guides", guides)):
                seconds[name].append(_repro_from_scratch(path))
                print(f"run {number + 1}: {name} {seconds[name][-1]:.2f} s", file=sys.stderr)
        again = _seconds(ours, "dvc", "repro", "--quiet")
    ours_s, guides_s = (statistics.median(seconds[name]) for name in ("ours", "guides"))
    print("| wall time, median | s |\n|---|---|")
    print(f"| dvc repro, from scratch | {ours_s:.1f} |")
    print(f"| the same steps the guides' way | {guides_s:.1f} |")
    print(f"| ratio | {ours_s / guides_s:.2f} |")
    print(f"| dvc repro, with nothing to do (one run) | {again:.1f} |")


def _our_project(folder: Path) -> Path:
    folder.mkdir()
    for name in OURS:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
    _seconds(folder, "git", "init", "--quiet")
    return folder


def _guides_project(folder: Path) -> Path:
    shutil.copytree(GUIDES, folder)
    shutil.copyfile(ROOT / TABLE, folder / "diabetes.csv")
    _seconds(folder, "git", "init", "--quiet")
    _seconds(folder, "dvc", "init", "--quiet")
    return folder


def _repro_from_scratch(folder: Path) -> float:
    for name in WRITTEN:
        path = folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True)
    return _seconds(folder, "dvc", "repro", "--force", "--quiet")


def _seconds(folder: Path, *command: str) -> float:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    environment |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DVC_NO_ANALYTICS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr.decode()}")
    return time.perf_counter() - start


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
