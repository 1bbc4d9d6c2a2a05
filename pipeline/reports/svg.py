"""Figures as SVG for a page: they take its text colour, light or dark."""

import re
from collections.abc import Callable, Mapping
from io import StringIO
from typing import TYPE_CHECKING, Any

from pipeline.reports.curves import PLAIN_TEXT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Draw = Callable[["Axes"], None]
INK = "#010203"  # stands in the drawing for the page's own text colour
STYLE: Any = {
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK
    ),
    "svg.fonttype": "none",  # text stays text: it can be searched, and takes less
    "font.family": "sans-serif",
    **PLAIN_TEXT,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
COLUMNS = 3  # of panels


def svg(name: str, draw: Draw) -> str:
    """Draw one figure as an `<svg>` element; `name` keeps what it refers to apart from others'."""

    def alone(figure: "Figure") -> None:
        axes = figure.add_subplot()
        draw(axes)
        axes.set_title("")  # the page has one
        axes.legend(frameon=False, fontsize=9)

    return _element(name, (5.2, 4.2), alone)


def panels(name: str, draws: Mapping[str, Draw]) -> str:
    """Draw small figures by their titles as one `<svg>` element, with a legend for all."""
    rows = -(-len(draws) // COLUMNS)

    def beside(figure: "Figure") -> None:
        every = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
        for axes, (title, draw) in zip(every.flat, draws.items(), strict=False):
            draw(axes)
            x, y = axes.get_xlabel(), axes.get_ylabel()
            axes.set_title(title, fontsize=9)
            axes.set(xlabel="", ylabel="")
        figure.supxlabel(x, fontsize=10)
        figure.supylabel(y, fontsize=10)
        for axes in every.flat[len(draws) :]:
            axes.set_axis_off()
        labelled = every.flat[0].get_legend_handles_labels()
        figure.legend(*labelled, loc="outside upper center", ncols=2, frameon=False, fontsize=9)

    return _element(name, (7.5, 0.9 + 2.2 * rows), beside)


def _element(name: str, size: tuple[float, float], draw: Callable[["Figure"], None]) -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({**STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        written = StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    element = written.getvalue()[written.getvalue().index("<svg") :]
    # Groups have the same ids in every figure, which nothing refers to.
    element = re.sub(r'<g id="[^"]*"', "<g", element)
    element = re.sub(r"<metadata>.*?</metadata>", "", element, flags=re.DOTALL)
    return element.replace(INK, "currentColor")
