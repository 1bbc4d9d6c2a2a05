"""Make the pictures of the docs from a project that has run.

    PYTHONPATH=. python docs/pictures.py PROJECT

PROJECT is a clone in which `dvc repro` and some `dvc exp run` are done; its runs and versions are
shown as they are there. Needs what tests need (`make install-dev`), and chromium.
"""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from playwright.sync_api import Page, sync_playwright

from pipeline.reports.run_plots import draw_search
from pipeline.search.units import Candidate
from pipeline.training.estimator import build_svm, build_transformer
from serving.model.contract import Contract

IMAGES = Path(__file__).parent / "img"
TWO = ["Glucose", "BMI"]
CORNERS = {"C": (1000.0, 0.1), "gamma": (0.01, 10.0)}
GRID = 150
SIZE = {"width": 1280, "height": 760}
VARIED = 40  # steps of the slider


def decision_surface(project: Path, to: Path) -> None:
    """Draw where an SVM of two features puts the border, for small and large C and gamma."""
    contract = Contract.read(project / "artifacts/contract.json")
    two = Contract(
        target=contract.target,
        classes=contract.classes,
        features=tuple(f for f in contract.features if f.name in TWO),
    )
    table = pd.read_csv(project / "data/training.csv")
    transformer = build_transformer(two)
    Z, y = transformer.fit_transform(table[TWO].to_numpy(float)), table["Outcome"].to_numpy()
    xs = [np.linspace(column.min(), column.max(), GRID) for column in Z.T]
    mesh = np.stack(np.meshgrid(*xs), axis=-1).reshape(-1, 2)
    unscaled = transformer.named_steps["scale"].inverse_transform
    shown, grid = unscaled(Z), unscaled(mesh).reshape(GRID, GRID, 2)
    figure = Figure(figsize=(9, 7), dpi=110, layout="constrained")
    axes = figure.subplots(2, 2, sharex=True, sharey=True)
    for row, C in enumerate(CORNERS["C"]):
        for column, gamma in enumerate(CORNERS["gamma"]):
            svm = build_svm(Candidate(C, gamma)).fit(Z, y)
            values = svm.decision_function(mesh)
            ax = axes[row, column]
            values = np.clip(values.reshape(GRID, GRID), -2, 2)
            ax.contourf(grid[..., 0], grid[..., 1], values, 21, cmap="RdBu_r", alpha=0.6)
            ax.contour(grid[..., 0], grid[..., 1], values, [0], colors="black")
            for label, colour in ((0, "tab:blue"), (1, "tab:red")):
                ax.scatter(*shown[y == label].T, s=6, color=colour)
            ax.set_title(f"C = {C:g}, gamma = {gamma:g}")
    figure.supxlabel("Glucose (mg/dL)")
    figure.supylabel("BMI (kg/m²)")
    figure.savefig(to)


def search_map(project: Path, to: Path) -> None:
    folder = project / "artifacts/pictures"
    draw_search(
        folder,
        project / "artifacts/cv_results.csv",
        project / "artifacts/learning_curve.csv",
        "roc_auc",
        "mean_test_score",
    )
    shutil.copyfile(folder / "search.png", to)
    shutil.rmtree(folder)


@contextmanager
def running(project: Path, *command: str, path: str, port: int) -> Iterator[str]:
    """Run a server until the block ends; give its address once `path` answers."""
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([sys.executable, *command], cwd=project)
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                urlopen(f"{address}{path}")
                break
            except (URLError, OSError):
                time.sleep(0.3)
        yield address
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def view(page: Page, address: str, awaited: str, to: Path) -> None:
    """Show one of the ready-made views of MLflow's UI."""
    page.goto("about:blank")  # else an address that differs behind the # loads nothing
    page.goto(address)
    page.get_by_text(awaited).first.wait_for(timeout=60_000)
    page.wait_for_timeout(3000)  # charts are drawn one after the other
    # The assistant's panel, at first, and the words on shared views.
    for close in page.get_by_role("button", name="Close").all():
        close.click()
    page.wait_for_timeout(1000)
    page.screenshot(path=to)


def views_of(project: Path, ui: str) -> list[str]:
    """Return the addresses of the results and of the newest search."""
    command = [sys.executable, "-m", "pipeline.tracking.views", ui]
    printed = subprocess.run(
        command, cwd=project, capture_output=True, encoding="utf-8", check=True
    )
    return [line.split()[-1] for line in printed.stdout.splitlines()]


def predict(page: Page, address: str, to: Path) -> None:
    """Show the page for people, with an answer."""
    page.goto(address)
    page.wait_for_load_state("load")
    page.locator("#sample").click()
    page.locator("#predict").click()
    page.locator("#probability").wait_for()
    page.locator(".bars").wait_for()
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    page.screenshot(path=to)


def explanation(page: Page, to: Path) -> None:
    """Show, of the page with an answer, what made it, and a what-if."""
    # So high that nothing is scrolled to.
    page.set_viewport_size({**SIZE, "height": 1600})
    page.locator(".bars").wait_for()
    page.get_by_label("Value to change").select_option("BMI")
    page.locator("#variation").focus()
    for _ in range(VARIED):
        page.keyboard.press("ArrowLeft")
    page.get_by_text("→").wait_for()
    page.locator(".columns").screenshot(path=to)
    page.set_viewport_size(SIZE)


def main(project: Path) -> None:
    decision_surface(project, IMAGES / "decision_surface.png")
    search_map(project, IMAGES / "search_map.png")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page(viewport=SIZE)
        port = free_port()
        ui = ("-m", "mlflow", "ui", "--backend-store-uri", "sqlite:///mlflow.db")
        with running(project, *ui, "--port", str(port), path="/health", port=port) as address:
            results, search = views_of(project, address)
            view(page, results, "repro ", IMAGES / "runs.png")
            view(page, search, "Candidates", IMAGES / "candidates.png")
        with running(project, "-m", "serving", path="/readyz", port=8000) as address:
            predict(page, address, IMAGES / "page.png")
            explanation(page, IMAGES / "explanation.png")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
