"""Small lines that show how a figure has gone from night to night, as inline SVG."""

from collections.abc import Sequence

from markupsafe import Markup

WIDTH, HEIGHT, MARGIN = 132, 30, 4


def sparkline(values: Sequence[float | None]) -> Markup:
    """Draw figures from left to right, on a scale from 0 to the largest; None leaves a gap.

    The last one has a dot. It says nothing to a screen reader: the figures stand beside it.
    """
    most = max((value for value in values if value is not None), default=0.0) or 1.0
    step = (WIDTH - 2 * MARGIN) / max(len(values) - 1, 1)

    def place(at: int, value: float) -> tuple[float, float]:
        right = WIDTH - MARGIN - (len(values) - 1 - at) * step
        return right, HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * value / most

    drawn = [_line([place(at, value) for at, value in run]) for run in _without_gaps(values)]
    if values and values[-1] is not None:
        x, y = place(len(values) - 1, values[-1])
        drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
    view = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return Markup(  # noqa: S704 - numbers alone
        f'<svg class="sparkline" {view} aria-hidden="true">{"".join(drawn)}</svg>'
    )


def _without_gaps(values: Sequence[float | None]) -> list[list[tuple[int, float]]]:
    runs: list[list[tuple[int, float]]] = [[]]
    for at, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((at, value))
    return [run for run in runs if run]


def _line(points: list[tuple[float, float]]) -> str:
    if len(points) == 1:
        ((x, y),) = points
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.5"/>'
    return f'<polyline points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'
