"""Lines over time, drawn in the terminal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime

import plotext

_SIZE = (100, 30)
"""Columns and lines where there is no terminal."""
_MARGIN = 2
_TICKS = 6


def plot(times: Sequence[datetime], lines: Mapping[str, Sequence[float]], title: str) -> None:
    """Draw one line for each name, over the same times; colours only on a terminal."""
    columns, rows = shutil.get_terminal_size(_SIZE)
    plotext.clear_figure()
    plotext.plot_size(columns - 1, max(min(rows - _MARGIN, _SIZE[1]), 10))
    plotext.theme("pro" if sys.stdout.isatty() else "clear")
    places = list(range(len(times)))
    for name, values in lines.items():
        plotext.plot(places, list(values), label=name or None, marker="braille")
    most = max((value for values in lines.values() for value in values), default=0.0)
    marks = _marks(most)
    plotext.yticks(marks, [_short(mark) for mark in marks])
    plotext.ylim(0, marks[-1])
    every = max(len(times) // _TICKS, 1)
    form = "%H:%M:%S" if len(times) > 1 and (times[1] - times[0]).seconds % 60 else "%m-%d %H:%M"
    plotext.xticks(places[::every], [times[place].strftime(form) for place in places[::every]])
    plotext.title(title)
    print(plotext.build() if sys.stdout.isatty() else plotext.uncolorize(plotext.build()))


def _marks(most: float) -> list[float]:
    """Return some round figures from 0 to one that is not below `most`."""
    step = 1.0
    while step * 5 < most:
        step *= 10
    for part in (0.1, 0.2, 0.5):
        if step * part * 5 >= most:
            step *= part
            break
    return [step * place for place in range(6)]


def _short(figure: float) -> str:
    for unit in ("", "k", "M", "G"):
        if figure < 1000:
            return f"{figure:g} {unit}".strip()
        figure /= 1000
    return f"{figure:g} T"
