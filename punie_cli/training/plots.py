"""The course of a run as a plot in the terminal, and as one HTML page that needs nothing else (`report.html`)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from punie_cli.training.runs import Curves, Run, flat

Points = Sequence[tuple[int, float]]
# More points than this are averaged: no screen shows them.
_POINTS = 400
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 800, 260, 56, 24, 10
_TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True)
class Tick:
    """A mark on an axis, in the coordinates of the drawing."""

    at: float
    text: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Dot:
    """One value with the text that appears above it."""

    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Series:
    """One line; `name` is its class in the style sheet."""

    name: str
    label: str
    points: str
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Chart:
    """One drawing: lines over the steps of a run."""

    title: str
    series: tuple[Series, ...]
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    width: int = _WIDTH
    height: int = _HEIGHT
    left: int = _LEFT


def terminal_plot(curves: Curves, width: int, height: int = 16) -> str:
    """Training and validation loss over the steps, plain text without colours; empty before the first step."""
    if not curves.train:
        return ""
    # An import of this package takes tens of milliseconds, and nothing else needs it.
    import plotext

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plotsize(max(width, 40), height)
    for points, draw, marker in (
        (thinned(curves.train, 2 * width), plotext.plot, "braille"),
        (curves.valid, plotext.scatter, "●"),
    ):
        # Six digits: plotext fails on numbers next to zero.
        draw([step for step, _ in points], [round(value, 6) for _, value in points], marker=marker)
    last = max(step for points in (curves.train, curves.valid) for step, _ in points)
    marks = _steps(last)
    plotext.xticks(marks, [str(mark) for mark in marks])
    # No legend: plotext puts it at the upper left, where a loss begins.
    plotext.xlabel("loss by step, ● validation")
    return "".join(f"{line.rstrip()}\n" for line in plotext.uncolorize(plotext.build()).splitlines())


def write_page(run: Run, path: Path) -> Path:
    """Write the page of a run: curves, results, stages, recipe. Nothing is loaded from a network."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(page(run), encoding="utf-8")
    part.replace(path)
    return path


def page(run: Run) -> str:
    """The page as HTML."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    began = f"{datetime.fromtimestamp(run.began, UTC):%Y-%m-%d %H:%M}"
    return template.render(run=run, began=began, charts=_charts(run.curves), tables=_tables(run))


def _charts(curves: Curves) -> list[Chart]:
    loss = [("train", "training", thinned(curves.train), False), ("valid", "validation", curves.valid, True)]
    charts = [_chart("Loss (nats a token)", loss)]
    charts.append(_chart("Learning rate", [("rate", "learning rate", thinned(curves.rate), False)]))
    charts.append(_chart("Probe (share of held-back rows that pass)", [("probe", "probe", curves.probe, True)]))
    return [chart for chart in charts if chart.series]


def _chart(title: str, lines: Sequence[tuple[str, str, Points, bool]]) -> Chart:
    lines = [line for line in lines if line[2]]
    if not lines:
        return Chart(title, (), (), ())
    steps = [step for *_, points, _ in lines for step, _ in points]
    values = [value for *_, points, _ in lines for _, value in points]
    first, last = min(steps), max(steps)
    marks = _nice(min(values), max(values))
    low, high = min(marks[0], *values), max(marks[-1], *values)

    def x(step: float) -> float:
        return round(_LEFT + (step - first) / (last - first or 1) * (_WIDTH - _LEFT - 4), 1)

    def y(value: float) -> float:
        return round(_TOP + (high - value) / (high - low or 1) * (_HEIGHT - _BOTTOM - _TOP), 1)

    series = tuple(
        Series(
            name,
            label,
            " ".join(f"{x(step)},{y(value)}" for step, value in points),
            tuple(Dot(x(step), y(value), f"step {step}: {value:.4f}") for step, value in points) if dots else (),
        )
        for name, label, points, dots in lines
    )
    ends = [Tick(x(first), f"step {first}", "start"), Tick(x(last), str(last), "end")]
    return Chart(title, series, tuple(ends if last > first else ends[:1]), tuple(Tick(y(m), f"{m:g}") for m in marks))


def _nice(low: float, high: float) -> list[float]:
    """About five round numbers that span low to high."""
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-12):
        return [low]
    step = 10 ** math.floor(math.log10((high - low) / 4))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= 5)
    first = math.floor(low / step)
    return [float(f"{step * n:.6g}") for n in range(first, math.ceil(high / step) + 1)]


def _steps(last: int) -> list[int]:
    return sorted({round(1 + (last - 1) * part / 5) for part in range(6)})


def thinned(points: Points, most: int = _POINTS) -> list[tuple[int, float]]:
    """At most so many points, each the mean of its neighbours at the last of their steps."""
    size = -(-len(points) // most) or 1
    parts = [points[i : i + size] for i in range(0, len(points), size)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]


@dataclass(frozen=True)
class _Rows:
    title: str
    rows: list[tuple[str, Any]]


def _tables(run: Run) -> Iterator[_Rows]:
    config = run.config
    yield _Rows("Result", [(name, value) for name, value in figures(run).items() if value])
    for stage in run.stages.get("stages", []):
        facts = {"output": stage["output"], "seconds": f"{stage['seconds']:.0f}"} | stage["figures"]
        yield _Rows(f"Stage {stage['stage']}", [(name, _text(value)) for name, value in facts.items()])
    hashes = {key: config.get(key) for key in ("recipe_hash", "data_hash", "validation_hash", "prompt_hash")}
    base = config.get("base", {})
    git = config.get("git") or {}
    made = {"base": base.get("name"), "base hash": base.get("hash"), **hashes, "rows": config.get("rows")}
    made |= {"commit": f"{git['commit']}{' (changed)' if git.get('dirty') else ''}"} if git.get("commit") else {}
    yield _Rows("Made from", [(name.replace("_", " "), value) for name, value in made.items() if value])
    yield _Rows("Recipe", [(name, _text(value)) for name, value in flat(config.get("recipe", {})).items()])
    numbers = config.get("versions", {}) | config.get("numbers", {})
    yield _Rows("Versions", [(name, _text(value)) for name, value in numbers.items()])


def figures(run: Run) -> dict[str, str]:
    """What a run came to, in words; empty where it is not known."""
    best = "" if run.loss is None else f"{run.loss:.4f} at step {run.best_step}"
    first = "" if run.first_loss is None or run.first_loss == run.loss else f", {run.first_loss:.4f} at first"
    return {
        "validation loss": best + first,
        "training loss": "" if run.train_loss is None else f"{run.train_loss:.4f}",
        "probe": "" if run.probe is None else f"{run.probe:.0%}",
        "tokens read": f"{run.tokens:,}" if run.tokens else "",
        "tokens a second": "" if run.tokens_per_s is None else f"{run.tokens_per_s:.0f}",
        "seconds in steps": f"{run.seconds:.0f}" if run.seconds else "",
        "peak memory": f"{run.peak_gb:.2f} GB" if run.peak_gb else "",
        "adapter": run.adapter or "",
    }


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return "-" if value is None else str(value)
