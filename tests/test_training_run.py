"""Runs on a tiny model in this process: folder, records, resume, refusals, and the command."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import psutil
import pytest

from punie_cli.agent.messages import user
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.errors import BusyError, InterruptedByUser, MissingError, PunieError, UsageError
from punie_cli.models.load import load
from punie_cli.paths import data_dir
from punie_cli.progress import Course, duration, sparkline
from punie_cli.rows.row import dump_rows
from punie_cli.training import run
from punie_cli.training.batches import encode
from punie_cli.training.phase import known_phases, load_phase
from punie_cli.training.plan import read_data
from punie_cli.training.prefix import whole_row_loss
from punie_cli.training.recipe import resolve
from punie_cli.training.reports import Plan, Step, Warned
from tests.command_line import punie
from tests.tiny import make_tiny_model
from tests.training import records, some_rows, write_rows

SETS = (
    "train.batch=4", "train.steps=6", "train.checkpoint_every=3", "train.validation_rows=3", "train.probe_rows=0",
    "lora.layers=1", "lora.rank=4", "optimizer.warmup=1", "optimizer.learning_rate=1e-2",
)  # fmt: skip
OPTIONS = [option for setting in SETS for option in ("--set", setting)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("base"), dtype="float32")


@pytest.fixture
def tiny(base: Path, punie_home: Path) -> dict[str, Any]:
    """What `run.train` needs, in a home of its own: few rows for phase 23, and the tiny model by its path."""
    write_rows(punie_home)
    return {"phase": 23, "model": str(base), "sets": SETS}


def folder(number: int = 1) -> Path:
    return data_dir() / "runs" / f"23-{number:03d}"


def interrupt_at(step: int, number: int = signal.SIGINT) -> Any:
    def report(event: Any) -> None:
        if isinstance(event, Step) and event.step == step:
            signal.raise_signal(number)

    return report


def test_a_run_makes_an_adapter_with_its_core(tiny: dict[str, Any], base: Path) -> None:
    events: list[Any] = []
    finished = run.train(**tiny, report=events.append)
    assert (finished.adapter, finished.run) == (data_dir() / "adapters" / "phase-23", folder())
    assert sorted(p.name for p in finished.adapter.iterdir()) == [
        "adapter_config.json", "adapters.safetensors", "punie.json",
    ]  # fmt: skip
    record = json.loads((finished.adapter / "punie.json").read_text())
    core = PromptCore.model_validate(record["core"])
    assert core.hash == record["prompt_hash"]
    assert core.check("adapter").names == load_phase(23).builtins
    assert (record["phase"], record["rows"]["rows"], record["steps"]) == (23, 30, 6)
    model, _, _ = load(base, finished.adapter)
    plain, _, _ = load(base)
    tokens = mx.array([[4, 5, 6]])
    assert not np.allclose(np.array(model(tokens)), np.array(plain(tokens)))
    kinds = [
        "plan",
        "preflight",
        "validated",
        *["step"] * 3,
        "validated",
        "saved",
        *["step"] * 3,
        "validated",
        "saved",
        "finished",
    ]
    assert [line["type"] for line in records(folder())] == kinds
    assert [type(event).__name__.lower() for event in events] == kinds
    known = json.loads((folder() / "run.json").read_text())
    assert known["numbers"].keys() == {"backend", "mlx", "hosts", "blas", "threads", "branch"}
    assert known["git"] is None or re.fullmatch("[0-9a-f]{40}", known["git"]["commit"])


@pytest.mark.parametrize("method", ["lora", "dora", "full"])
def test_what_each_method_makes_is_what_was_validated(method: str, tiny: dict[str, Any], base: Path) -> None:
    finished = run.train(phase=23, model=tiny["model"], sets=(*SETS, f"train.method={method}", "train.steps=3"))
    model, tokenizer, _ = load(base, finished.adapter)
    data = read_data(resolve(23, SETS, tiny["model"]).phase, tokenizer)
    losses = [whole_row_loss(model, data.renderer.core_tokens, e).item() for e in data.validation]
    # LoRA factors are kept as float16.
    assert sum(losses) / data.valid_stats.trained == pytest.approx(finished.loss, abs=1e-3)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_goes_on(number: int, tiny: dict[str, Any]) -> None:
    with pytest.raises(InterruptedByUser) as caught:
        run.train(**tiny, report=interrupt_at(2, number))
    assert caught.value.message == f"stopped after step 2 of 6; everything is kept in {folder()}"
    assert caught.value.hint == "punie train --phase 23 --resume"
    plans: list[Plan] = []
    finished = run.train(phase=23, resume=True, report=lambda e: plans.append(e) if isinstance(e, Plan) else None)
    assert [(plan.resumed_at, plan.model) for plan in plans] == [(2, tiny["model"])]
    assert finished.adapter.is_dir()
    assert [line["step"] for line in records(folder(), "step")] == [1, 2, 3, 4, 5, 6]
    with pytest.raises(MissingError, match="phase 23 has no unfinished run"):
        run.train(**tiny, resume=True)


def test_what_lies_behind_the_last_checkpoint_is_told_once(tiny: dict[str, Any]) -> None:
    with pytest.raises(InterruptedByUser):
        run.train(**tiny, report=interrupt_at(3))
    with (folder() / "metrics.jsonl").open("a") as metrics:
        metrics.write('{"type": "step", "step": 4, "loss": 1.0}\n{"type": "step", "st')
    run.train(phase=23, resume=True)
    assert [line["step"] for line in records(folder(), "step")] == [1, 2, 3, 4, 5, 6]


def test_metrics_that_cannot_be_written_end_a_run(tiny: dict[str, Any]) -> None:
    def full(event: Any) -> None:
        if isinstance(event, Step) and event.step == 5:
            metrics = folder() / "metrics.jsonl"
            metrics.rename(metrics.with_suffix(".kept"))
            metrics.mkdir()

    with pytest.raises(PunieError) as caught:
        run.train(**tiny, report=full)
    assert caught.value.message == (
        f"{folder() / 'metrics.jsonl'} could not be written: Is a directory; "
        f"the last whole checkpoint is {folder() / 'checkpoints' / '000003'}"
    )


def test_changed_rows_end_a_resume(tiny: dict[str, Any]) -> None:
    with pytest.raises(InterruptedByUser):
        run.train(**tiny, report=interrupt_at(1))
    (data_dir() / "rows" / "23" / "train.jsonl").write_text(dump_rows(some_rows(31)))
    with pytest.raises(UsageError, match="23-001 cannot go on: its data_hash was"):
        run.train(**tiny, resume=True)


def test_another_recipe_ends_a_resume(tiny: dict[str, Any]) -> None:
    with pytest.raises(InterruptedByUser):
        run.train(**tiny, report=interrupt_at(1))
    with pytest.raises(UsageError) as caught:
        run.train(phase=23, sets=("lora.rank=8",), resume=True)
    assert caught.value.message == (
        "23-001 goes on by the recipe that it began with; --set and --model would change it"
    )
    # The same settings again change nothing.
    assert run.train(phase=23, model=tiny["model"], sets=("lora.rank=4",), resume=True).run == folder()


def test_other_threads_end_a_resume_unless_forced(tiny: dict[str, Any]) -> None:
    with pytest.raises(InterruptedByUser):
        run.train(**tiny, report=interrupt_at(1))
    path = folder() / "run.json"
    record = json.loads(path.read_text())
    now = record["numbers"]["threads"]
    record["numbers"]["threads"] = 64
    path.write_text(json.dumps(record))
    with pytest.raises(UsageError) as caught:
        run.train(phase=23, resume=True)
    assert caught.value.message == f"23-001 would not go on bit for bit: threads was 64, now it is {now}"
    assert caught.value.hint == (
        "OMP_NUM_THREADS=64 punie train --phase 23 --resume, or --force to go on with other last digits"
    )
    events: list[Any] = []
    run.train(phase=23, resume=True, force=True, report=events.append)
    assert events[0] == Warned(f"not bit for bit: threads was 64, now it is {now}")


def test_one_trainer_in_a_folder_and_a_warning_for_two_on_a_machine(tiny: dict[str, Any]) -> None:
    seen: list[Any] = []

    def second(event: Any) -> None:
        if isinstance(event, Step) and event.step == 1:
            with pytest.raises(BusyError, match="23-001 is being trained by another process"):
                run.train(phase=23, resume=True)
            other = run.train(**tiny, report=seen.append)
            assert other.run == folder(2)

    run.train(**tiny, report=second)
    assert seen[0] == Warned("another punie train is running on this machine: both will be slower")
    assert (folder() / "done.json").exists()


def test_too_little_memory_is_refused_with_what_would_fit(
    tiny: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = psutil.virtual_memory()._replace(available=2_000_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    monkeypatch.setattr("punie_cli.models.load._require_memory", lambda path, weights: None)
    with pytest.raises(BusyError) as caught:
        run.train(**tiny)
    assert re.fullmatch(
        r"a step would take 0\.\d\d GB, 0\.\d\d GB are there; --set train.batch=\d .* needs about 0\.\d\d GB",
        caught.value.message,
    )
    assert caught.value.exit_code == 75
    assert list((data_dir() / "runs").glob("23-*")) == []
    assert run.train(**tiny, force=True).adapter.is_dir()


def test_rows_that_cannot_be_trained_are_listed(base: Path) -> None:
    _, tokenizer, _ = load(base)
    renderer = Renderer(PromptCore.build(Registry(), "tags"), tokenizer)
    (row,) = some_rows(1)
    examples, stats = encode([row], renderer, 4000)
    assert (stats.rows, stats.tokens, stats.trained) == (1, len(examples[0].tokens), sum(examples[0].trained))
    tokens = len(examples[0].tokens) + stats.core
    asked = row.model_copy(update={"messages": (user("x"),)})
    with pytest.raises(UsageError) as caught:
        encode([row, asked], renderer, 100, "train.jsonl")
    assert caught.value.message == (
        f"train.jsonl row 1 ({row.id}, i) has {tokens} tokens, 100 are allowed; "
        f"train.jsonl row 2 ({asked.id}, i) has nothing that the model wrote"
    )
    with pytest.raises(UsageError, match=r"; and 2 more$"):
        encode([row] * 12, renderer, 100)
    with pytest.raises(UsageError, match=r"valid\.jsonl has no rows"):
        encode([], renderer, 4000, "valid.jsonl")


@pytest.mark.parametrize(
    "sets, message",
    [
        (["lora.rnk=16"], "--set: unknown key 'lora.rnk'; did you mean 'rank'?"),
        (["lorra.rank=16"], "--set: unknown key 'lorra'; did you mean 'lora'?"),
        (["title.rank=16"], "--set: unknown key 'title.rank'"),
        (["lora.rank"], "--set lora.rank is not KEY=VALUE"),
        (["lora.rank=0"], "--set: lora.rank: Input should be greater than or equal to 1"),
        (["train.method=qlora"], "--set: train.method: Input should be 'lora', 'dora' or 'full'"),
        (["train.steps=2", "train.epochs=1"], "--set: train: steps and epochs are both given; one says how long"),
        (
            ["lora.dropout=0.1", "train.grad_checkpoint=true"],
            "--set: lora.dropout and train.grad_checkpoint do not go together: what is dropped is drawn once",
        ),
    ],
)
def test_settings_that_do_not_fit(sets: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(23, sets)
    assert caught.value.message == message


def test_a_setting_changes_the_recipe_and_says_so() -> None:
    plain, changed = resolve(23), resolve(23, ["lora.rank=3", "train.epochs=2.5", "train.method=dora"], "other")
    assert plain.phase.recipe_hash != changed.phase.recipe_hash
    assert plain.phase.training_hash != changed.phase.training_hash
    train = changed.phase.train
    assert (changed.phase.lora.rank, train.epochs, train.steps, train.method) == (3, 2.5, None, "dora")
    sources = {value.key: value.source for value in changed.values}
    assert {key: sources[key] for key in ("lora.rank", "base", "title", "train.batch_tokens")} == {
        "lora.rank": "--set", "base": "--model", "title": "23.toml", "train.batch_tokens": "default",
    }  # fmt: skip


@pytest.mark.parametrize("number", known_phases())
def test_shipped_phases_are_valid(number: int) -> None:
    phase = load_phase(number)
    assert phase.number == number
    assert Registry(phase.builtins).names == phase.builtins


def test_the_command_trains(tiny: dict[str, Any], base: Path) -> None:
    done = punie("train", "--phase", "23", "--model", str(base), *OPTIONS)
    adapter = data_dir() / "adapters" / "phase-23"
    assert done.code == 0
    assert re.fullmatch(rf"{adapter}: step \d, validation loss \d\.\d{{4}}, \d+ s\n", done.stdout)
    plan, memory, *rest = done.stderr.splitlines()
    assert re.fullmatch(
        rf"phase 23 on {base}: 30 rows, 6 steps of 4, about [\d,]+ tokens to read; lora in 1 layers, 0.0 million "
        rf"parameters; run {folder()}",
        plan,
    )
    assert re.fullmatch(
        r"memory SAFE: 0\.\d\d of \d+\.\d\d GB at the longest batch, about \d s; 0\.00 GB of disk for checkpoints",
        memory,
    )
    steps = [f"step {n} of 6" for n in range(1, 7)]
    assert [line.partition(":")[0] for line in rest] == ["step 0", *steps[:3], "step 3", *steps[3:], "step 6"]


def test_the_command_prints_json_lines(tiny: dict[str, Any], base: Path) -> None:
    done = punie("train", "--phase", "23", "--model", str(base), *OPTIONS, "--json")
    assert (done.code, done.stderr) == (0, "")
    assert [json.loads(line) for line in done.stdout.splitlines()] == records(folder())


def test_a_dry_run_begins_nothing(tiny: dict[str, Any], base: Path) -> None:
    done = punie("train", "--phase", "23", "--model", str(base), *OPTIONS[:-8], "--set", "lora.layers=all", "--dry-run")
    assert (done.code, done.stderr) == (0, "")
    lines = [re.sub(" {2,}", "  ", line) for line in done.stdout.splitlines()]
    for line in (
        f"base  {base}  (--model)", "lora.layers  all  (--set)", "lora.layers  2  (model)",
        "lora.dropout  0.0  (default)",
        "train.steps  6  (--set)", f"rows  {data_dir()}/rows/23", "train  30 rows,", "check a0.py<|im_end|>",
    ):  # fmt: skip
        assert any(found.startswith(line) for found in lines), line
    assert not (data_dir() / "runs").exists()
    found = json.loads(punie("train", "--phase", "23", "--model", str(base), *OPTIONS, "--dry-run", "--json").stdout)
    assert (found["type"], found["values"]["lora.rank"]) == ("draft", {"value": 4, "source": "--set"})
    assert (found["train"]["rows"], found["valid"]["rows"], found["steps"]) == (30, 3, 6)


@pytest.mark.parametrize(
    "args, code, stderr",
    [
        (
            ("--phase", "999"),
            3,
            f"Error: there is no phase 999; there are: {', '.join(map(str, known_phases()))}\nTry: punie phases list\n",
        ),
        (
            ("--phase", "23", "--resume"),
            3,
            "Error: phase 23 has no unfinished run\nTry: punie train --phase 23\n",
        ),
        (("--phase", "23", "--set", "lora.rnk=3"), 2, "Error: --set: unknown key 'lora.rnk'; did you mean 'rank'?\n"),
    ],
)
def test_commands_that_cannot_train(args: tuple[str, ...], code: int, stderr: str, tiny: Any, base: Path) -> None:
    done = punie("train", *args, "--model", str(base))
    assert (done.code, done.stdout, done.stderr) == (code, "", stderr)
    assert not list((data_dir()).glob("runs/*"))


@pytest.mark.parametrize(
    "values, line",
    [([], ""), ([1.0], "▁"), ([3, 2, 1], "█▅▁"), ([1, 1, 3, 3], "▁▁██"), (range(8), "▁▂▃▄▅▆▇█")],
)
def test_sparklines(values: Any, line: str) -> None:
    assert sparkline(values) == line
    assert len(sparkline([*values] * 50)) == (12 if values else 0)


@pytest.mark.parametrize("seconds, text", [(89, "89 s"), (90, "2 min"), (5300, "88 min"), (5400, "1 h 30 min")])
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def step(number: int, loss: float = 1.0, steps: int = 500, skipped: bool = False) -> Step:
    return Step(number, steps, loss, 1.0, 1e-4, 1, 0.5, 100.0, 60.0, 1.25, skipped)


def test_a_terminal_sees_the_course_and_a_pipe_some_steps() -> None:
    course = Course()
    lines = [course.live(step(number, loss)) for number, loss in ((1, 3.0), (2, 2.0), (3, 1.0))]
    assert lines[-1] == "step 3/500 loss 1.000 █▅▁ 2.00 it/s 100 tok/s 1.2 GB 60 s left"
    assert [n for n in range(1, 31) if course.tells(step(n))] == [1, 10, 20, 30]
    assert course.tells(step(7, skipped=True))
