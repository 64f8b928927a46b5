"""The charts that need axes, as inline SVG that takes its colours and its type from the page."""

import io
import math
import re
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from lib.evaluation.results import ReliabilityBin
from lib.training.history import EpochRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import RcKeyType

SIZE = (5.2, 3.1)
_SQUARE = (4.6, 4.2)

# Each stands for a colour of the style sheet, and is swapped for it in the finished SVG, so that
# one drawing serves a light page and a dark one.
INK, MUTED, _GRID, _SURFACE = "#0a0b01", "#0a0b02", "#0a0b03", "#0a0b04"
ACCEPT, _REVIEW = "#0a0b05", "#0a0b06"
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    _GRID: "--line",
    _SURFACE: "--surface",
    ACCEPT: "--accept",
    _REVIEW: "--review",
}
_STYLE: "dict[RcKeyType, Any]" = {
    "font.family": "DejaVu Sans",
    "font.size": 11,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": _GRID,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11,
    "axes.labelpad": 8,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "xtick.color": _GRID,
    "ytick.color": _GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "lines.markersize": 5,
}


def confidence_histogram(counts: Sequence[int], threshold: float) -> Markup:
    """Draw how sure the model was, and where the threshold falls."""
    said = f"threshold {threshold:.2f}" if threshold <= 1 else "nothing is accepted"

    def paint(axes: "Axes") -> None:
        width = 1 / len(counts)
        for index, items in enumerate(counts):
            sure = (index + 0.5) * width >= threshold
            axes.bar(
                index * width,
                items,
                width * 0.86,
                align="edge",
                color=ACCEPT if sure else _REVIEW,
            )
        axes.axvline(threshold, color=INK, linewidth=1.4)
        left = threshold > 0.5
        axes.annotate(
            said,
            (threshold, 1.0),
            (-6 if left else 6, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="right" if left else "left",
            va="bottom",
        )
        axes.set_xlim(0, 1)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("confidence (%)")
        axes.set_ylabel("items")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value * 100:.0f}")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.locator_params(axis="y", integer=True, nbins=5)

    alt = f"Histogram of the confidence of {sum(counts):,} labels; {said}."
    return draw("confidence", alt, SIZE, paint)


def loss_curves(epochs: Sequence[EpochRecord]) -> Markup:
    """Draw the training and the validation loss by epoch."""
    train = [record.train_loss for record in epochs]
    validation = [record.validation_loss for record in epochs]

    def paint(axes: "Axes") -> None:
        _line(axes, train, MUTED, "training", "--")
        _line(axes, validation, ACCEPT, "validation", "-")
        axes.set_ylabel("loss (nats)")
        axes.set_ylim(bottom=0)
        axes.legend(loc="best", labelcolor=INK)
        _epoch_axis(axes, epochs)

    return draw("loss", "Loss by epoch, in training and in validation.", SIZE, paint)


def accuracy_curve(epochs: Sequence[EpochRecord]) -> Markup:
    """Draw the validation accuracy by epoch."""
    accuracy = [record.validation_accuracy for record in epochs]

    def paint(axes: "Axes") -> None:
        _line(axes, [value * 100 for value in accuracy], ACCEPT, "validation", "-")
        axes.set_ylabel("validation accuracy (%)")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        _epoch_axis(axes, epochs)

    return draw("accuracy", "Validation accuracy by epoch.", SIZE, paint)


def reliability_diagram(bins: Sequence[ReliabilityBin]) -> Markup:
    """Draw stated confidence against observed accuracy; a dot's area grows with its items."""
    known = [
        each
        for each in bins
        if each.items and math.isfinite(each.confidence) and math.isfinite(each.accuracy)
    ]
    most = max((each.items for each in known), default=1)

    def paint(axes: "Axes") -> None:
        axes.plot([0, 100], [0, 100], color=MUTED, linewidth=1.2, linestyle=(0, (4, 3)))
        for each in known:
            stated, observed = each.confidence * 100, each.accuracy * 100
            axes.plot([stated, stated], [stated, observed], color=_REVIEW, linewidth=1.4)
        axes.scatter(
            [each.confidence * 100 for each in known],
            [each.accuracy * 100 for each in known],
            s=[30 + 170 * each.items / most for each in known],
            color=ACCEPT,
            edgecolors=_SURFACE,
            linewidths=1.2,
            zorder=3,
            clip_on=False,
        )
        axes.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
        axes.set_xlabel("stated confidence (%)")
        axes.set_ylabel("observed accuracy (%)")

    alt = "Stated confidence against observed accuracy; on the diagonal the two agree."
    return draw("reliability", alt, _SQUARE, paint)


def _line(axes: "Axes", values: Sequence[float], colour: str, label: str, dash: str) -> None:
    finite = [value if math.isfinite(value) else math.nan for value in values]
    steps = range(1, len(finite) + 1)
    marker = "o" if len(finite) <= 30 else ""
    axes.plot(steps, finite, dash, color=colour, label=label, marker=marker)


def _epoch_axis(axes: "Axes", epochs: Sequence[EpochRecord]) -> None:
    axes.set_xlabel("epoch")
    axes.set_xlim(0.5, len(epochs) + 0.5)
    axes.locator_params(axis="x", integer=True, nbins=8, min_n_ticks=1)


def load() -> None:
    """Load the library that draws, which takes most of a second."""
    from matplotlib import figure  # noqa: F401, PLC0415 - only a drawing needs it


def draw(name: str, alt: str, size: tuple[float, float], paint: Callable[["Axes"], None]) -> Markup:
    """Draw one chart; `name` keeps its ids apart from those of every other chart on the page."""
    from matplotlib import rc_context  # noqa: PLC0415 - slow, and only a drawing needs it
    from matplotlib.figure import Figure  # noqa: PLC0415 - the same

    with rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        paint(figure.subplots())
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    return _inline(buffer.getvalue(), name, alt)


def _inline(svg: str, name: str, alt: str) -> Markup:
    """Make a standalone SVG part of a page: no names of its own, no colours, fonts or size."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style).*?</\1>|<!--.*?-->", "", svg, flags=re.DOTALL)
    view_box = re.search(r'viewBox="[^"]*"', svg)
    assert view_box is not None, "matplotlib always writes a view box"
    opening = f'<svg class="chart" role="img" aria-label="{escape(alt)}" {view_box[0]}>'
    svg = opening + svg[svg.index(">") + 1 :]
    svg = svg.replace("xlink:href=", "href=")
    svg = re.sub(r'(\bid="|\bhref="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"font-family:[^;\"]*;?|font: ([\d.]+px)[^;\"]*", _font_size, svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return Markup(svg)  # noqa: S704 - matplotlib's own output, which escapes what it writes


def _font_size(found: re.Match[str]) -> str:
    return f"font-size: {found[1]}" if found[1] else ""
