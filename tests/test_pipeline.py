"""The pipeline from rows to a score on a tiny random model: what is skipped, what is done again, what a kill leaves."""

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from punie_cli.errors import BusyError, Exit, GateError, InterruptedByUser, PunieError, UsageError
from punie_cli.evaluation.measure import Tried
from punie_cli.models import history
from punie_cli.models.building import locked
from punie_cli.models.load import load
from punie_cli.paths import data_dir
from punie_cli.settings import Settings
from punie_cli.training.phase import phase_path
from punie_cli.training.pipeline import run_pipeline
from punie_cli.training.reports import Finished, Plan
from punie_cli.training.run import train
from punie_cli.training.stages import STAGES, StageDone, StageProgress, StageSkipped, StageStarted
from punie_cli.training.summary import Comparison, Summary
from tests.tiny import make_tiny_model

SUITE = """
fixture = "bookstall"
[[case]]
name = "direct"
prompt = "What is a list?"
[case.expect]
no_calls = true
[[case]]
name = "read"
group = "reading"
prompt = "Read README.md"
[case.expect]
calls = [{ builtin = "read_file" }]
"""

PHASE = """
number = 90
title = "tiny"
base = "{base}"
bases = {bases}
[rows]
seed = 1
split = [60, 20, 20]
[rows.groups]
direct = 20
[lora]
rank = 4
[train]
steps = 4
batch = 4
checkpoint_every = 2
validation_rows = 2
[fuse]
mode = "float16"
[quantize]
bits = {bits}
group_size = 32
[eval]
suite = "{suite}"
rows = 2
gate = {gate}
groups = {groups}
"""

LIMITS = Settings(max_tokens=8, max_steps=2)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def write(base: Path, punie_home: Path) -> Callable[..., None]:
    """Writes phase 90 of the user, with these values."""
    suite = punie_home / "suite.toml"
    suite.parent.mkdir(parents=True)
    suite.write_text(SUITE)

    def write(**values: Any) -> None:
        path = punie_home / "data" / "phases" / "90.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        given = {"base": base, "bases": [], "bits": 4, "suite": suite, "gate": 0.0, "groups": "{}", **values}
        path.write_text(PHASE.format(**given))

    write()
    return write


def go(told: list[str], through: Any = "eval", **options: Any) -> Summary:
    """Run the pipeline; `told` gets what is said of each stage."""

    def note(event: Any) -> None:
        match event:
            case StageStarted(stage, why):
                told.append(f"{stage}: {why}")
            case StageSkipped(stage, reason):
                told.append(f"{stage} skipped: {reason}")

    done = run_pipeline(phase=90, through=through, settings=LIMITS, report=note, **options)
    assert isinstance(done, Summary)
    return done


def test_from_rows_to_a_score_and_then_nothing_to_do(write: Callable[..., None]) -> None:
    events: list[Any] = []
    done = run_pipeline(phase=90, through="eval", settings=LIMITS, report=events.append)
    assert isinstance(done, Summary)
    assert [e.stage for e in events if isinstance(e, StageDone)] == list(STAGES)
    assert events[-1] == done
    rows, train, fused, quantized, tried = (line.figures for line in done.stages)
    assert rows == {"train": 12, "valid": 4, "test": 4}
    assert (train["steps"], train["loss"] > 0, train["run"]) == (4, True, str(data_dir() / "runs" / "90-001"))
    assert (fused["model"], quantized["model"], tried["model"]) == ("phase-90-fused", "phase-90-4bit", "phase-90-4bit")
    assert 0.25 < quantized["size"] / fused["size"] < 0.5 and 4 < quantized["bits"] < 8
    assert (tried["n"], tried["rows"], done.gate, done.passed) == (2, 2, 0.0, True)
    for name in ("phase-90-fused", "phase-90-4bit"):
        model, _, _ = load(data_dir() / "models" / name)
        assert len(model.layers) == 2
        assert "core" in json.loads((data_dir() / "models" / name / "punie.json").read_text())
    run = Path(done.run or "")
    result = json.loads((run / "eval.json").read_text())
    assert result["path"] == str(data_dir() / "models" / "phase-90-4bit")
    assert (len(result["weights"]), [case["name"] for case in result["cases"]]) == (64, ["direct", "read"])
    lines = [json.loads(line) for line in (run / "turns.jsonl").read_text().splitlines()]
    assert [line["type"] for line in lines if line.get("case") == "direct"][:2] == ["session", "prompt"]
    assert json.loads((run / "pipeline.json").read_text())["size"] == done.size

    again = go(told := [])
    assert told == [f"{stage} skipped: unchanged" for stage in STAGES]
    assert (again.loss, again.size, again.share, again.seconds) == (done.loss, done.size, done.share, done.seconds)

    # Only what depends on a change is done again.
    write(bits=8, gate=1.0)
    with pytest.raises(GateError) as caught:
        go(told := [])
    assert told == [
        "rows skipped: unchanged",
        "train skipped: unchanged",
        "fuse skipped: unchanged",
        "quantize: changed: bits",
        "eval: changed: model",
    ]
    assert re.fullmatch(r"phase 90 is below its gate: \d+% of 2, 100% are asked for", caught.value.message)
    assert caught.value.exit_code == Exit.BELOW_GATE == 4
    (rejected,) = history.read().rejected
    assert (rejected.model, rejected.adapter, rejected.phase) == ("phase-90-8bit", "none", 90)
    assert (rejected.judged["evaluation"], rejected.judged["least"]) == ("e0002", 1.0)
    assert re.fullmatch(r"\d of 2 cases of suite, 2 are asked for \(100%\)", "; ".join(rejected.missed))
    assert history.read().now == history.DEFAULT
    # The gate itself is no input: the same score is judged anew.
    write(bits=8)
    judged = go(told := [])
    assert (told, judged.passed) == ([f"{stage} skipped: unchanged" for stage in STAGES], True)
    # A group has a count of its own that must pass.
    write(bits=8, groups="{ reading = 1 }")
    with pytest.raises(GateError) as caught:
        go(told := [])
    assert told == [f"{stage} skipped: unchanged" for stage in STAGES]
    assert caught.value.message.endswith("% of 2, 0% are asked for; reading 0 of 1, 1 are asked for")
    assert [each.missed for each in history.read().rejected] == [("reading 0 of 1, 1 are asked for",)]
    write(bits=8)
    go(told := [], "fuse", sets=["train.steps=2"])
    assert told == ["rows skipped: unchanged", "train: changed: recipe", "fuse: changed: adapter"]
    (data_dir() / "models" / "phase-90-fused" / "model.safetensors").unlink()
    go(told := [], "fuse", sets=["train.steps=2"])
    assert told[1:] == ["train skipped: unchanged", "fuse: its output is gone or damaged"]


def test_a_group_that_cannot_pass_is_refused_before_the_training(write: Callable[..., None]) -> None:
    write(groups="{ reading = 2 }")
    with pytest.raises(UsageError) as caught:
        go(told := [])
    assert caught.value.message.startswith("phase 90 asks for 2 cases of the group 'reading'; the suite ")
    assert (caught.value.message.endswith(" has 1"), told) == (True, [])


def test_a_phase_without_a_stage_says_so(write: Callable[..., None]) -> None:
    path = data_dir() / "phases" / "90.toml"
    path.write_text(path.read_text().partition("[fuse]")[0])
    with pytest.raises(UsageError) as caught:
        go([], "quantize")
    assert caught.value.message == "the phase has no [quantize] section; it goes through train"
    assert not (data_dir() / "runs").exists()


class Killed(BaseException):
    """What a kill looks like from inside: nothing may catch it."""


_CHILD = """
import os, sys
from punie_cli.settings import Settings
from punie_cli.training.phase import phase_path
from punie_cli.training.pipeline import run_pipeline
def die(event):
    if type(event).__name__ == "Step" and event.step == 3:
        os._exit(9)
run_pipeline(phase=90, through="eval", settings=Settings(max_tokens=8, max_steps=2), report=die)
"""


def test_a_pipeline_goes_on_wherever_it_was_killed(write: Callable[..., None]) -> None:
    child = subprocess.run([sys.executable, "-c", _CHILD], capture_output=True, text=True)
    assert (child.returncode, child.stdout, child.stderr) == (9, "", "")
    begun = data_dir() / "runs" / "90-001"
    assert sorted(path.name for path in (begun / "checkpoints").iterdir()) == ["000002"]

    def until(told: list[str], last: Callable[[Any], bool]) -> None:
        def note(event: Any) -> None:
            if isinstance(event, StageStarted | StageSkipped | Plan):
                resumed = event.resumed_at if isinstance(event, Plan) else event.stage
                told.append(f"{type(event).__name__} {resumed}")
            if last(event):
                raise Killed

        with pytest.raises(Killed):
            run_pipeline(phase=90, through="eval", settings=LIMITS, report=note)

    until(told := [], lambda event: isinstance(event, Finished))
    assert told == ["StageSkipped rows", "StageStarted train", "Plan 2"]
    # The adapter was there, its record was not: nothing is trained again.
    until(told := [], lambda event: isinstance(event, StageProgress) and event.stage == "fuse")
    assert told == ["StageSkipped rows", "StageStarted train", "StageStarted fuse"]
    assert not (data_dir() / "models" / "phase-90-fused").exists()
    until(told := [], lambda event: isinstance(event, StageStarted) and event.stage == "quantize")
    assert told == ["StageSkipped rows", "StageSkipped train", "StageStarted fuse", "StageStarted quantize"]
    until(told := [], lambda event: isinstance(event, Tried))
    assert told[2:] == ["StageSkipped fuse", "StageStarted quantize", "StageStarted eval"]
    done = go(told := [])
    assert told[3:] == ["quantize skipped: unchanged", "eval: not done yet"]
    assert (done.run, [path.name for path in begun.parent.iterdir()]) == (str(begun), ["90-001"])
    assert not list((data_dir() / "models").glob(".*.part"))


def test_what_was_trained_before_is_taken(write: Callable[..., None]) -> None:
    go([], "rows")
    train(phase=90, out=data_dir() / "adapters" / "elsewhere")
    plans: list[Any] = []
    done = run_pipeline(phase=90, through="train", report=lambda e: plans.append(e) if isinstance(e, Plan) else None)
    assert isinstance(done, Summary)
    assert (plans, done.run) == ([], str(data_dir() / "runs" / "90-001"))
    for file in ("adapters.safetensors", "adapter_config.json"):
        folders = [data_dir() / "adapters" / name for name in ("elsewhere", "phase-90")]
        assert len({(folder / file).read_bytes() for folder in folders}) == 1


def test_ctrl_c_says_how_to_go_on(write: Callable[..., None]) -> None:
    def interrupt(event: Any) -> None:
        if type(event).__name__ == "Step":
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(InterruptedByUser) as caught:
        run_pipeline(phase=90, through="fuse", report=interrupt)
    assert caught.value.hint == "punie train --phase 90 --through fuse"


def test_ctrl_c_in_another_stage(write: Callable[..., None]) -> None:
    def interrupt(event: Any) -> None:
        if isinstance(event, StageStarted):
            raise KeyboardInterrupt

    with pytest.raises(InterruptedByUser) as caught:
        run_pipeline(phase=90, through="fuse", sets=["train.steps=3", "lora.keys=['a b']"], report=interrupt)
    assert (caught.value.message, caught.value.hint) == (
        "stopped in the stage rows; what was done before is kept",
        "punie train --phase 90 --through fuse --set train.steps=3 --set 'lora.keys=['\"'\"'a b'\"'\"']'",
    )


def test_room_for_the_models_is_asked_for_first(write: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    events: list[Any] = []
    with pytest.raises(PunieError, match=r"GB of disk are needed in .*models, 0\.0 GB are free"):
        run_pipeline(phase=90, through="quantize", report=events.append)
    (plan,) = events
    assert (plan.phase, plan.stages) == (90, ("rows", "train", "fuse", "quantize"))


def test_one_pipeline_at_a_time(write: Callable[..., None]) -> None:
    with locked(data_dir() / "stages" / "90", 0), pytest.raises(BusyError, match="another punie process is working on"):
        go([], "train")


def test_rows_that_were_changed_by_hand_are_not_built_over(write: Callable[..., None]) -> None:
    go([], "train", sets=["train.steps=1"])
    path = data_dir() / "rows" / "90" / "train.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    go(told := [], "train", sets=["train.steps=1"])
    assert told == ["rows skipped: built by hand", "train: changed: rows"]
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(UsageError) as caught:
        go([], "train", sets=["rows.seed=5"])
    assert caught.value.message == (
        f"the recipe of the rows changed, and so did the rows in {path.parent}: they are not built over"
    )


@pytest.mark.parametrize(
    "groups, told", [("", "rows skipped: they are there"), ("[rows.groups]\ndirect = 20", "rows: not done yet")]
)
def test_an_own_phase_with_other_rows_does_not_get_those_that_ship(groups: str, told: str, base: Path) -> None:
    text = phase_path(23).read_text()
    path = data_dir() / "phases" / "23.toml"
    path.parent.mkdir(parents=True)
    if groups:
        text = re.sub(r"\[rows\].*?(?=\n\[lora)", f"[rows]\n{groups}\n", text, flags=re.DOTALL)
    path.write_text(text)
    seen: list[Any] = []

    def note(event: Any) -> None:
        seen.append(event)
        if getattr(event, "stage", "") == "rows":
            raise Killed

    with pytest.raises(Killed):
        run_pipeline(phase=23, through="train", model=str(base), report=note)
    last = seen[-1]
    assert told == (f"rows: {last.why}" if isinstance(last, StageStarted) else f"rows skipped: {last.reason}")


def test_bases_are_compared(write: Callable[..., None], base: Path, tmp_path: Path) -> None:
    other = make_tiny_model(tmp_path / "wide", hidden=96)
    write(bases=json.dumps([str(base), str(other)]))
    done = run_pipeline(phase=90, through="train", sets=["train.steps=1"])
    assert isinstance(done, Comparison)
    assert [summary.base for summary in done.summaries] == [str(base), str(other)]
    assert [Path(summary.stages[1].output).name for summary in done.summaries] == ["phase-90-tiny", "phase-90-wide"]
    assert [Path(summary.run or "").name for summary in done.summaries] == ["90-001", "90-002"]
