"""Training on a tiny random model: exact loss, exact resume, whole checkpoints, an adapter that loads."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx.utils import tree_flatten

from punie_cli.agent.messages import answer, output, program, user
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.errors import BusyError, InterruptedByUser, MissingError, PunieError, UsageError
from punie_cli.models.load import load
from punie_cli.paths import data_dir
from punie_cli.rows.row import Row, dump_rows
from punie_cli.training import checkpoint, loop, run
from punie_cli.training.batches import SPREAD, Example, batches, encode, groups, steps_for
from punie_cli.training.phase import Lora, Optimizer, Phase, Rows, Train, known_phases, load_phase
from punie_cli.training.prefix import Batch, Group, shared_prefix_loss
from tests.command_line import punie
from tests.tiny import make_tiny_model

CORE = [5, 9, 11, 30, 31, 32]


def example(rng: Random, length: int) -> Example:
    return Example([rng.randrange(3, 300) for _ in range(length)], [i > length // 2 for i in range(length)])


@pytest.fixture
def examples() -> list[Example]:
    rng = Random(1)
    return [example(rng, rng.randint(4, 20)) for _ in range(23)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("base"), dtype="float32")


@pytest.fixture
def phase() -> Phase:
    return Phase(
        number=23,
        title="tiny",
        rows=Rows(groups={}),
        lora=Lora(rank=4),
        optimizer=Optimizer(learning_rate=1e-2, warmup=2),
        train=Train(batch=4, checkpoint_every=3, validation_rows=4),
    )


def lora_model(base: Path, lora: Lora) -> Any:
    model, _, _ = load(base)
    mx.random.seed(7)
    loop.add_lora(model, lora)
    return model


def weights(model: Any) -> dict[str, np.ndarray]:
    return {name: np.array(value) for name, value in tree_flatten(model.trainable_parameters())}


def plain_loss(model: Any, example: Example) -> mx.array:
    """The same loss the simple way: one whole row at a time."""
    row = CORE + example.tokens
    logits = model(mx.array([row[:-1]]))[0]
    trained = [False] * len(CORE) + example.trained
    each = nn.losses.cross_entropy(logits, mx.array(row[1:]))
    return (each * mx.array([float(t) for t in trained[1:]])).sum()


def test_the_shared_prefix_changes_neither_loss_nor_gradient(base: Path, examples: list[Example]) -> None:
    model = lora_model(base, Lora(rank=4))
    # B starts at zero, which would leave the gradient of A at zero.
    parameters: Any = tree_flatten(model.trainable_parameters())
    for name, value in parameters:
        if name.endswith("lora_b"):
            model.load_weights([(name, mx.random.normal(value.shape) * 0.1)], strict=False)
    core = mx.array([CORE])
    chosen = examples[:5]
    shared, shared_gradient = nn.value_and_grad(model, lambda m: shared_prefix_loss(model, core, m))(Batch(chosen))
    plain, plain_gradient = nn.value_and_grad(model, lambda rows: sum(plain_loss(model, r) for r in rows))(chosen)
    assert shared.item() == pytest.approx(plain.item(), rel=1e-5)
    for (name, ours), (_, theirs) in zip(tree_flatten(shared_gradient), tree_flatten(plain_gradient), strict=True):
        np.testing.assert_allclose(np.array(ours), np.array(theirs), rtol=2e-3, atol=2e-5, err_msg=name)


def test_padding_trains_nothing() -> None:
    group = Group([Example([7, 8, 9], [False, True, True]), Example([7], [False]), Example([4, 5], [False, True])])
    assert group.tokens.tolist() == [[7, 8, 9], [7, 0, 0], [4, 5, 0]]
    assert (group.places.tolist(), group.targets.tolist()) == ([0, 1, 6], [8, 9, 5])


@given(st.lists(st.integers(1, 60), min_size=1, max_size=20))
def test_groups_hold_every_row_and_little_padding(lengths: list[int]) -> None:
    batch = [Example([i] * n, [True] * n) for i, n in enumerate(lengths)]
    found = groups(batch)
    assert sorted(e.tokens[0] for group in found for e in group) == list(range(len(batch)))
    for group in found:
        assert max(len(e.tokens) for e in group) <= SPREAD * min(len(e.tokens) for e in group)


@given(rows=st.integers(1, 200), size=st.integers(1, 16), seed=st.integers(0, 5))
def test_an_epoch_uses_every_row_once(rows: int, size: int, seed: int) -> None:
    examples = [Example([i] * (1 + i % 7), [True] * (1 + i % 7)) for i in range(rows)]
    steps = steps_for(rows, size, 1)
    chosen = list(batches(examples, size, steps, seed))
    assert len(chosen) == steps
    assert sorted(e.tokens[0] for b in chosen for e in b) == list(range(rows))
    assert chosen == list(batches(examples, size, steps, seed))


def test_training_learns(base: Path, phase: Phase, examples: list[Example], tmp_path: Path) -> None:
    model = lora_model(base, phase.lora)
    reports = list(loop.train(model, CORE, examples, examples[:4], phase, 60, tmp_path))
    losses = [r.loss for r in reports if isinstance(r, loop.Step)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert [r.step for r in reports if isinstance(r, loop.Validated)] == list(range(3, 61, 3))


@pytest.mark.parametrize("stopped_at", [1, 4, 7])
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_a_resumed_run_ends_bit_for_bit_like_one_without_a_stop(
    stopped_at: int, dropout: float, base: Path, phase: Phase, examples: list[Example], tmp_path: Path
) -> None:
    phase = phase.model_copy(update={"lora": Lora(rank=4, dropout=dropout)})
    whole = lora_model(base, phase.lora)
    list(loop.train(whole, CORE, examples, examples[:4], phase, 10, tmp_path / "whole"))

    first = lora_model(base, phase.lora)
    seen: list[loop.Report] = []
    for report in loop.train(
        first, CORE, examples, examples[:4], phase, 10, tmp_path / "parts", stop=lambda: len(seen) >= stopped_at
    ):
        seen.append(report)
    assert isinstance(seen[-1], loop.Stopped)

    second = lora_model(base, phase.lora)
    (*_, last) = checkpoint.checkpoints(tmp_path / "parts")
    list(loop.train(second, CORE, examples, examples[:4], phase, 10, tmp_path / "parts", resume=last))
    expected = weights(whole)
    for name, value in weights(second).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_checkpoints_keep_the_newest_and_the_best(base: Path, phase: Phase, tmp_path: Path) -> None:
    model = lora_model(base, phase.lora)
    optimizer = loop.make_optimizer(phase.optimizer, 10)
    optimizer.init(model.trainable_parameters())
    for step in (3, 6, 9, 12):
        checkpoint.save(tmp_path, model, optimizer, checkpoint.Progress(step=step, best_step=3, best_loss=1.0))
    (tmp_path / ".000015.part").mkdir()
    assert [p.name for p in checkpoint.checkpoints(tmp_path)] == ["000003", "000009", "000012"]


def test_a_damaged_checkpoint_is_named(base: Path, phase: Phase, tmp_path: Path) -> None:
    model = lora_model(base, phase.lora)
    optimizer = loop.make_optimizer(phase.optimizer, 10)
    optimizer.init(model.trainable_parameters())
    folder = checkpoint.save(tmp_path, model, optimizer, checkpoint.Progress(step=3))
    (folder / "adapters.safetensors").write_bytes(b"\x10\0\0\0")
    with pytest.raises(MissingError, match=f"checkpoint {folder} is damaged"):
        checkpoint.restore(folder, model, optimizer)


def test_a_loss_that_is_not_finite_changes_nothing_and_ends_the_run(
    base: Path, phase: Phase, examples: list[Example], tmp_path: Path
) -> None:
    model = lora_model(base, phase.lora)
    before = weights(model)
    model.model.norm.weight = model.model.norm.weight * math.nan
    with pytest.raises(PunieError, match="not finite in 3 steps in a row, up to step 3"):
        list(loop.train(model, CORE, examples, examples[:4], phase, 10, tmp_path))
    for name, value in weights(model).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize(
    "lora, message",
    [
        (Lora(layers=0), "lora.layers is 0; this model has 2"),
        (Lora(layers=3), "lora.layers is 3; this model has 2"),
        (Lora(keys=("self_attn.qq",)), "no layer of this model is named by lora.keys: self_attn.qq"),
    ],
)
def test_layers_that_are_not_there_are_refused(lora: Lora, message: str, base: Path) -> None:
    with pytest.raises(UsageError) as caught:
        lora_model(base, lora)
    assert caught.value.message == message


@pytest.mark.parametrize("step, rate", [(0, 1 / 3), (1, 2 / 3), (2, 1.0), (6, 0.5), (9, 0.125)])
def test_the_learning_rate_rises_and_falls(step: int, rate: float) -> None:
    optimizer = loop.make_optimizer(Optimizer(learning_rate=1.0, warmup=2), 10)
    optimizer.init({"w": mx.zeros(1)})
    for _ in range(step):
        optimizer.update({"w": mx.zeros(1)}, {"w": mx.zeros(1)})
    optimizer.update({"w": mx.zeros(1)}, {"w": mx.zeros(1)})
    assert float(optimizer.learning_rate) == pytest.approx(rate)


def some_rows(number: int) -> list[Row]:
    return [
        Row(
            source="check",
            intent="i",
            project="p",
            messages=(
                user(f"check a{i}.py"),
                program(f'print(typecheck("a{i}.py"))'),
                output("no type errors\n"),
                answer(f"No type errors in a{i}.py."),
            ),
        )
        for i in range(number)
    ]


def test_rows_that_cannot_be_trained_are_refused(base: Path) -> None:
    _, tokenizer, _ = load(base)
    renderer = Renderer(PromptCore.build(Registry(), "tags"), tokenizer)
    (row,) = some_rows(1)
    examples, stats = encode([row], renderer, 2048)
    assert stats.rows == 1 and stats.tokens == len(examples[0].tokens) and stats.trained == sum(examples[0].trained)
    with pytest.raises(UsageError, match=rf"row {row.id} \(i\) has \d+ tokens; the phase allows 100"):
        encode([row], renderer, 100)
    asked = row.model_copy(update={"messages": (user("x"),)})
    with pytest.raises(UsageError, match=r"has nothing that the model wrote"):
        encode([asked], renderer, 2048)
    with pytest.raises(UsageError, match="there are no rows to train on"):
        encode([], renderer, 2048)


@pytest.fixture
def tiny_run(base: Path, punie_home: Path) -> Iterator[dict[str, Any]]:
    """What `run.train` needs, in a home of its own: few rows for phase 23, and the tiny model by its path."""
    rows = punie_home / "data" / "rows" / "23"
    rows.mkdir(parents=True)
    for side, chosen in (("train", some_rows(30)), ("valid", some_rows(3)), ("test", [])):
        (rows / f"{side}.jsonl").write_text(dump_rows(chosen))
    (rows / "manifest.json").write_text("{}")
    yield {"phase": 23, "model": str(base)}


def test_a_run_makes_an_adapter_with_its_core(tiny_run: dict[str, Any], base: Path) -> None:
    events: list[Any] = []
    finished = run.train(**tiny_run, report=events.append)
    assert finished.adapter == data_dir() / "adapters" / "phase-23"
    assert sorted(p.name for p in finished.adapter.iterdir()) == [
        "adapter_config.json", "adapters.safetensors", "punie.json",
    ]  # fmt: skip
    record = json.loads((finished.adapter / "punie.json").read_text())
    core = PromptCore.model_validate(record["core"])
    assert core.hash == record["prompt_hash"]
    assert core.check("adapter").names == load_phase(23).builtins
    assert (record["phase"], record["rows"]["rows"], record["recipe"]["title"]) == (23, 30, "typecheck")
    model, _, _ = load(base, finished.adapter)
    plain, _, _ = load(base)
    tokens = mx.array([[4, 5, 6]])
    assert not np.allclose(np.array(model(tokens)), np.array(plain(tokens)))
    metrics = [json.loads(line) for line in (data_dir() / "runs" / "23-001" / "metrics.jsonl").read_text().splitlines()]
    assert [m["type"] for m in metrics] == ["step"] * 4 + ["validated"]
    assert [type(e).__name__ for e in events] == ["Plan", *["Step"] * 4, "Validated"]


def test_a_stopped_run_goes_on(tiny_run: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(event: Any) -> None:
        if isinstance(event, loop.Step):
            import signal

            signal.raise_signal(signal.SIGINT)

    with pytest.raises(InterruptedByUser) as caught:
        run.train(**tiny_run, report=interrupt)
    assert caught.value.hint == "punie train --phase 23 --resume"
    plans: list[run.Plan] = []
    finished = run.train(**tiny_run, resume=True, report=lambda e: plans.append(e) if isinstance(e, run.Plan) else None)
    assert [p.resumed_at for p in plans] == [1]
    assert finished.adapter.is_dir()
    with pytest.raises(MissingError, match="phase 23 has no unfinished run"):
        run.train(**tiny_run, resume=True)


def test_changed_rows_end_a_resume(tiny_run: dict[str, Any]) -> None:
    def interrupt(event: Any) -> None:
        if isinstance(event, loop.Step):
            import signal

            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(InterruptedByUser):
        run.train(**tiny_run, report=interrupt)
    (data_dir() / "rows" / "23" / "train.jsonl").write_text(dump_rows(some_rows(31)))
    with pytest.raises(UsageError, match="23-001 cannot go on: its data_hash was"):
        run.train(**tiny_run, resume=True)


def test_one_training_at_a_time(tiny_run: dict[str, Any]) -> None:
    def second(event: Any) -> None:
        if isinstance(event, run.Plan):
            with pytest.raises(BusyError, match="another punie train is running"):
                run.train(**tiny_run)

    run.train(**tiny_run, report=second)


def test_unknown_phases_and_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingError) as missing:
        load_phase(7)
    assert missing.value.message == f"there is no phase 7; there are: {', '.join(map(str, known_phases()))}"
    path = tmp_path / "99.toml"
    text = 'number = 99\ntitle = "x"\n[rows]\ngroups = {}\n[optimizer]\nlearning_rat = 1.0\n'
    path.write_text(text)
    monkeypatch.setattr("punie_cli.training.phase.phase_path", lambda number: path)
    with pytest.raises(UsageError) as unknown:
        load_phase(99)
    assert unknown.value.message == f"{path}: unknown key 'optimizer.learning_rat'; did you mean 'learning_rate'?"


@pytest.mark.parametrize("number", known_phases())
def test_shipped_phases_are_valid(number: int) -> None:
    phase = load_phase(number)
    assert phase.number == number
    assert Registry(phase.builtins).names == phase.builtins


def test_the_commands_build_train_and_use(tiny_run: dict[str, Any], base: Path) -> None:
    done = punie("train", "--phase", "23", "--model", str(base))
    adapter = data_dir() / "adapters" / "phase-23"
    assert done.code == 0
    assert re.fullmatch(rf"{adapter}: step \d, validation loss \d\.\d{{4}}, \d+ s\n", done.stdout)
    first, *rest = done.stderr.splitlines()
    assert re.fullmatch(
        rf"phase 23 on {base}: 30 rows, 4 steps, about [\d,]+ tokens to read, 0.0 million parameters to train; "
        rf"run {data_dir()}/runs/23-001",
        first,
    )
    assert [line.partition(":")[0] for line in rest] == [f"step {n} of 4" for n in (1, 2, 3, 4)] + ["step 4"]


@pytest.mark.parametrize(
    "args, code, stderr",
    [
        (
            ("train", "--phase", "7"),
            3,
            "Error: there is no phase 7; there are: 23\nTry: punie train --phase 23\n",
        ),
        (
            ("train", "--phase", "23", "--resume"),
            3,
            "Error: phase 23 has no unfinished run\nTry: punie train --phase 23\n",
        ),
    ],
)
def test_commands_that_cannot_train(
    args: tuple[str, ...], code: int, stderr: str, tiny_run: dict[str, Any], base: Path
) -> None:
    done = punie(*args, "--model", str(base))
    assert (done.code, done.stdout, done.stderr) == (code, "", stderr)
