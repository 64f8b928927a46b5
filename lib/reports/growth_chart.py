"""The chart of how accuracy grows with labels, with its band."""

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from lib.reports.charts import ACCEPT, MUTED, SIZE, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lib.heads.learning_curve import Curve

BEYOND = 4.0  # times the labels there are
POINTS = 40


def growth_chart(curve: "Curve") -> Markup:
    """Draw the measured accuracy by the number of labels, and what is expected of more."""
    labels = np.geomspace(curve.labels[0], BEYOND * curve.labels_now, POINTS)
    expected = [curve.law.accuracy(each) for each in labels.tolist()]
    measured = curve.right / curve.whole

    def paint(axes: "Axes") -> None:
        low, high = ([100 * getattr(each, end) for each in expected] for end in ("low", "high"))
        axes.fill_between(labels, low, high, color=ACCEPT, alpha=0.18, linewidth=0)
        axes.plot(labels, [100 * each.value for each in expected], color=ACCEPT)
        axes.scatter(curve.labels, 100 * measured, color=ACCEPT, zorder=3)
        axes.axvline(curve.labels_now, color=MUTED, linewidth=1, linestyle=(0, (2, 3)))
        axes.annotate(
            "now", (curve.labels_now, 1.0), (0, 4), xycoords=("data", "axes fraction"),
            textcoords="offset points", ha="center", va="bottom", color=MUTED,
        )  # fmt: skip
        axes.set_xscale("log")
        steps = [share * curve.labels_now for share in (0.25, 0.5, 1, 2, 4)]
        axes.set_xticks(steps, [f"{each:,.0f}" for each in steps])
        axes.set_xticks([], minor=True)
        axes.set_xlabel("labels per category (mean)")
        axes.set_ylabel("accuracy (%)")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")

    last, more = measured[-1], expected[-1]
    alt = (
        f"Accuracy by labels per category: {last:.0%} with {curve.labels[-1]:,.0f}; expected with "
        f"{labels[-1]:,.0f}: {more.value:.0%}, {more.low:.0%} to {more.high:.0%}."
    )
    return draw("growth", alt, SIZE, paint)
