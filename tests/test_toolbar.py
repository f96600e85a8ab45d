"""The toolbar: what it tells, and that it fits."""

import json
import os
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.utils import get_cwidth

from punie_cli import paths
from punie_cli.chat.bar import phase_of, training_now
from punie_cli.chat.toolbar import Bar, toolbar

FULL = Bar(
    activity="reading 1200 tokens",
    queued=2,
    model="smollm2-135m",
    phase="phase 24",
    used=2540,
    context=8192,
    tokens_per_s=41.7,
    memory_gb=0.62,
    mode="ask",
    training="25-003 120/500",
)


@pytest.mark.parametrize(
    ("bar", "width", "text"),
    [
        (
            FULL,
            140,
            "reading 1200 tokens · 2 queued · smollm2-135m · phase 24 · 31 % ctx · 42 tok/s · 0.6 GB · ask · "
            "training 25-003 120/500",
        ),
        (FULL, 60, "reading 1200 tokens · 2 queued · smollm2-135m · phase 24"),
        (FULL, 40, "reading 1200 tokens · 2 queued"),
        (FULL, 10, "reading 1…"),
        (Bar(model="日本語モデル"), 8, "日本語…"),
        (Bar(model="a\x1b[2J\nb"), 40, "a\\x1b[2J b"),
        (Bar(used=300), 40, "300 tokens"),
        (Bar(), 40, ""),
    ],
)
def test_fields(bar: Bar, width: int, text: str) -> None:
    assert toolbar(bar, width) == text


_TEXT = st.text(max_size=30)
_BARS = st.builds(
    Bar,
    activity=_TEXT,
    queued=st.integers(0, 10**6),
    model=_TEXT,
    phase=_TEXT,
    used=st.none() | st.integers(0, 10**6),
    context=st.none() | st.integers(0, 10**6),
    tokens_per_s=st.floats(0, 10**6),
    memory_gb=st.floats(0, 10**3),
    mode=_TEXT,
    training=_TEXT,
)


@given(_BARS, st.integers(0, 200))
def test_never_wider_than_the_window(bar: Bar, width: int) -> None:
    assert get_cwidth(toolbar(bar, width)) <= width


@given(_BARS, st.integers(0, 200), st.integers(0, 200))
def test_more_room_never_tells_less(bar: Bar, one: int, other: int) -> None:
    narrow, wide = (toolbar(bar, width) for width in sorted((one, other)))
    assert wide.startswith(narrow.removesuffix("…"))


def test_a_phase_is_told_instead_of_its_adapter(tmp_path: Path) -> None:
    for name, record in (("made", {"phase": 24}), ("other", {})):
        folder = paths.data_dir() / "adapters" / name
        folder.mkdir(parents=True)
        (folder / "punie.json").write_text(json.dumps(record))
    assert [phase_of(name) for name in (None, "made", "other", "gone")] == ["no adapter", "phase 24", "other", "gone"]


def run(name: str, process: dict[str, Any] | None, lines: list[dict[str, Any]], *, done: bool = False) -> None:
    folder = paths.data_dir() / "runs" / name
    folder.mkdir(parents=True)
    if process is not None:
        (folder / "process.json").write_text(json.dumps(process))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"type": "st')
    if done:
        (folder / "done.json").write_text("{}")


def test_the_training_that_runs_now() -> None:
    assert training_now() == ""
    mine = {"pid": os.getpid(), "started": psutil.Process().create_time()}
    steps = [{"type": "step", "step": 3, "steps": 9}, {"type": "saved", "step": 3}]
    run("24-002", None, steps)
    run("25-001", mine, steps, done=True)
    assert training_now() == ""
    run("24-001", mine, steps)
    assert training_now() == "24-001 3/9"


def test_a_training_without_a_step() -> None:
    run("24-001", {"pid": os.getpid(), "started": psutil.Process().create_time()}, [])
    assert training_now() == "24-001"
