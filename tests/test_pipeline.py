"""The pipeline from rows to a score on a tiny random model: what is skipped, what is done again, what a kill leaves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from punie_cli.errors import GateError, UsageError
from punie_cli.models.load import load
from punie_cli.paths import data_dir
from punie_cli.settings import Settings
from punie_cli.training.pipeline import run_pipeline
from punie_cli.training.stages import STAGES, StageDone, StageSkipped, StageStarted
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
read = 4
direct = 16
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
        path.write_text(PHASE.format(**{"base": base, "bases": [], "bits": 4, "suite": suite, "gate": 0.0, **values}))

    write()
    return write


def go(through: str = "eval", **options: Any) -> tuple[list[str], Summary | Comparison]:
    """Run the pipeline; what each stage did, in one word for each, and the summary."""
    told: list[str] = []

    def note(event: Any) -> None:
        match event:
            case StageStarted(stage, why):
                told.append(f"{stage}: {why}")
            case StageSkipped(stage, reason):
                told.append(f"{stage} skipped: {reason}")

    done = run_pipeline(phase=90, through=through, settings=LIMITS, report=note, **options)  # ty: ignore[invalid-argument-type]
    return told, done


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

    told, again = go()
    assert told == [f"{stage} skipped: unchanged" for stage in STAGES]
    assert isinstance(again, Summary)
    assert (again.loss, again.size, again.share, again.seconds) == (done.loss, done.size, done.share, done.seconds)


def test_only_what_depends_on_a_change_is_done_again(write: Callable[..., None]) -> None:
    go()
    write(bits=8)
    told, _ = go()
    assert told == [
        "rows skipped: unchanged",
        "train skipped: unchanged",
        "fuse skipped: unchanged",
        "quantize: changed: bits",
        "eval: changed: model",
    ]
    told, _ = go("fuse", sets=["train.steps=2"])
    assert told == ["rows skipped: unchanged", "train: changed: recipe", "fuse: changed: adapter"]
    (data_dir() / "models" / "phase-90-fused" / "model.safetensors").unlink()
    told, _ = go("fuse", sets=["train.steps=2"])
    assert told[1:] == ["train skipped: unchanged", "fuse: its output is gone or damaged"]


def test_the_gate_is_judged_after_everything_is_kept(write: Callable[..., None]) -> None:
    write(gate=1.0)
    summaries: list[Any] = []
    with pytest.raises(GateError) as caught:
        run_pipeline(phase=90, through="eval", settings=LIMITS, report=summaries.append)
    share = summaries[-1].share
    assert caught.value.message == f"phase 90 is below its gate: {share:.0%} of 2, 100% are asked for"
    assert summaries[-1].passed is False
    write(gate=0.0)
    told, done = go()
    assert told == [f"{stage} skipped: unchanged" for stage in STAGES]
    assert isinstance(done, Summary) and done.passed


def test_a_phase_without_a_stage_says_so(write: Callable[..., None]) -> None:
    path = data_dir() / "phases" / "90.toml"
    path.write_text(path.read_text().partition("[fuse]")[0])
    with pytest.raises(UsageError) as caught:
        go("quantize")
    assert caught.value.message == "the phase has no [quantize] section; it goes through train"
    assert not (data_dir() / "runs").exists()
