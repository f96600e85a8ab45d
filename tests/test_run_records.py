"""What runs are read from and drawn as, without a run: records of reports, ages, curves of any numbers."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.runs import age
from punie_cli.training import plots, reports, runs
from punie_cli.training.reports import Step


@pytest.mark.parametrize(
    "report",
    [
        reports.Plan(23, Path("/r"), "tiny", "lora", 2, reports.Stats(1, 2, 3, 4, 5), 6, 7, 8, 9, 10, 11),
        reports.Preflight(1.0, 2.0, "SAFE", True, 0.5, 3.0, 0.1),
        Step(1, 9, 2.5, 1.0, 1e-3, 4, 0.5, 100.0, 4.0, 0.1),
        reports.Validated(3, 2.0, True, 0.5),
        reports.Saved(3, Path("/c")),
        reports.Warned("text"),
        reports.Stopped(4, "patience"),
        reports.Finished(Path("/a"), 3, 2.0, 5.0, Path("/r")),
    ],
)
def test_a_record_is_its_report_again(report: reports.Report) -> None:
    record = json.loads(json.dumps(reports.as_record(report)))
    assert runs.as_report(record | {"of a later punie": 1}) == report


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (45, "45 s"), (720, "12 min"), (3 * 3600, "3 h"), (5 * 86400, "5 days")]
)
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text


points = st.lists(st.floats(-1e30, 1e30) | st.floats(-10, 10), min_size=1, max_size=60).map(
    lambda v: tuple(enumerate(v, start=1))
)


@given(points, points | st.just(()))
def test_every_curve_can_be_drawn(train: Any, valid: Any) -> None:
    curves = runs.Curves(train=train, valid=valid, rate=train)
    for chart in plots._charts(curves):
        for series in chart.series:
            for pair in series.points.split():
                x, y = map(float, pair.split(","))
                assert 0 <= x <= chart.width and 0 <= y <= chart.height
        assert 2 <= len(chart.y) <= 9 or len(chart.y) == 1
    assert len(plots.terminal_plot(curves, 60).splitlines()) == 16


@given(points, st.integers(1, 20))
def test_thinned_points_end_where_the_run_does(values: Any, most: int) -> None:
    thin = plots.thinned(values, most)
    assert len(thin) <= most and thin[-1][0] == values[-1][0]
    assert plots.thinned(values, len(values)) == list(values)
