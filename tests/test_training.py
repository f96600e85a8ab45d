"""Loss, steps, checkpoints and the loop on a tiny random model: exact loss, exact sums, exact resume."""

import math
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlx.utils import tree_flatten

from punie_cli.errors import InterruptedByUser, MissingError, PunieError, UsageError
from punie_cli.models.load import load
from punie_cli.training import checkpoint, loop
from punie_cli.training.adapt import adapt, first_trained
from punie_cli.training.batches import SPREAD, Example, batches, groups, micro_batches, padded_tokens
from punie_cli.training.checkpoint import Progress
from punie_cli.training.loss import cross_entropy
from punie_cli.training.optimizer import make_optimizer
from punie_cli.training.phase import Lora, Optimizer, Phase
from punie_cli.training.prefix import Batch, Core, Group, shared_prefix_loss, whole_row_loss
from punie_cli.training.preflight import Costs, advice, preflight, tier
from punie_cli.training.reports import Saved, Step, Stopped, Validated
from punie_cli.training.step import Stepper
from tests.tiny import make_tiny_model
from tests.training import CORE, lora_model, some_examples, tiny_phase, weights


@pytest.fixture
def examples() -> list[Example]:
    return some_examples()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("base"), dtype="float32")


def stir(model: Any) -> None:
    """B starts at zero, which would leave the gradient of A at zero."""
    parameters: Any = tree_flatten(model.trainable_parameters())
    for name, value in parameters:
        if name.endswith("lora_b"):
            model.load_weights([(name, mx.random.normal(value.shape) * 0.1)], strict=False)


def train(model: Any, examples: list[Example], phase: Phase, steps: int, folder: Path, **options: Any) -> list[Any]:
    """The reports of a run; the model is changed in place."""
    return list(loop.train(model, Core(model, CORE), examples, examples[:4], phase, steps, folder, **options))


def last(folder: Path) -> Path:
    return checkpoint.checkpoints(folder)[-1]


@pytest.mark.parametrize("method", ["lora", "dora", "full"])
@pytest.mark.parametrize("layers", ["all", 1])
def test_the_shared_prefix_changes_neither_loss_nor_gradient(
    layers: Any, method: str, base: Path, examples: list[Example]
) -> None:
    model = lora_model(base, Lora(rank=4, layers=layers), method)
    assert first_trained(model) == (0 if layers == "all" else 1)
    stir(model)
    core, chosen = Core(model, CORE), examples[:5]
    shared, ours = nn.value_and_grad(model, lambda b: shared_prefix_loss(model, core, b))(Batch(chosen))
    plain, theirs = nn.value_and_grad(model, lambda rows: sum(whole_row_loss(model, CORE, r) for r in rows))(chosen)
    assert shared.item() == pytest.approx(plain.item(), rel=1e-6)
    for (name, a), (_, b) in zip(tree_flatten(ours), tree_flatten(theirs), strict=True):
        scale = float(np.abs(np.array(b)).max()) or 1.0
        np.testing.assert_allclose(np.array(a) / scale, np.array(b) / scale, atol=1e-5, err_msg=name)


def test_the_core_below_the_trained_layers_is_computed_once(base: Path, examples: list[Example]) -> None:
    model = lora_model(base, Lora(rank=4, layers=1))
    core = Core(model, CORE)
    calls = []
    first = model.model.layers[0]

    class Counting:
        def __call__(self, *args: Any, **options: Any) -> mx.array:
            calls.append(args[0].shape)
            return first(*args, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(first, name)

    model.model.layers = [Counting(), model.model.layers[1]]
    mx.eval(shared_prefix_loss(model, core, Batch(examples[:1])))
    assert [shape[1] for shape in calls] == [len(examples[0].tokens)]


@pytest.mark.parametrize("method", ["lora", "dora", "full"])
@pytest.mark.parametrize("layers", ["all", 1])
def test_activations_that_are_computed_again_give_the_same_gradient(
    layers: Any, method: str, base: Path, examples: list[Example]
) -> None:
    model = lora_model(base, Lora(rank=4, layers=layers), method)
    stir(model)
    found = []
    for recompute in (False, True):
        core = Core(model, CORE, recompute=recompute)
        gradient = nn.value_and_grad(model, lambda b, core=core: shared_prefix_loss(model, core, b))
        found.append(gradient(Batch(examples[:5])))
    (a, plain), (b, again) = found
    assert a.item() == b.item()
    for (name, ours), (_, theirs) in zip(tree_flatten(again), tree_flatten(plain), strict=True):
        np.testing.assert_allclose(np.array(ours), np.array(theirs), rtol=1e-4, atol=1e-5, err_msg=name)


def test_our_cross_entropy_is_that_of_mlx() -> None:
    mx.random.seed(3)
    logits, targets = mx.random.normal((7, 50)) * 30, mx.random.randint(0, 50, (7,))
    ours, a = mx.value_and_grad(lambda x: cross_entropy(x, targets) * 0.5)(logits)
    theirs, b = mx.value_and_grad(lambda x: nn.losses.cross_entropy(x, targets, reduction="sum") * 0.5)(logits)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)
    np.testing.assert_allclose(np.array(a), np.array(b), atol=1e-6)


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


@given(st.lists(st.integers(1, 60), max_size=20), st.integers(1, 6), st.one_of(st.none(), st.integers(16, 200)))
def test_micro_batches_hold_every_row_within_their_bounds(lengths: list[int], size: int, tokens: int | None) -> None:
    rows = [Example([i] * n, [True] * n) for i, n in enumerate(lengths)]
    found = micro_batches(rows, size, tokens)
    assert sorted(e.tokens[0] for batch in found for e in batch) == list(range(len(rows)))
    for batch in found:
        assert 1 <= len(batch) <= size
        assert tokens is None or len(batch) == 1 or padded_tokens(batch) <= tokens


@given(rows=st.integers(1, 200), size=st.integers(1, 16), seed=st.integers(0, 5))
def test_an_epoch_uses_every_row_once(rows: int, size: int, seed: int) -> None:
    examples = [Example([i] * (1 + i % 7), [True] * (1 + i % 7)) for i in range(rows)]
    steps = -(-rows // size)
    chosen = list(batches(examples, size, steps, seed))
    assert len(chosen) == steps
    assert sorted(e.tokens[0] for b in chosen for e in b) == list(range(rows))
    assert chosen == list(batches(examples, size, steps, seed))


@pytest.mark.parametrize("split", [{"batch": 2, "accumulate": 6}, {"batch": 12, "batch_tokens": 40}])
def test_accumulated_batches_make_the_step_of_one(split: dict[str, int], base: Path, examples: list[Example]) -> None:
    after, losses = [], []
    for options in ({"batch": 12}, split):
        phase = tiny_phase(**options)
        model = lora_model(base, phase.lora)
        stir(model)
        optimizer = make_optimizer(Optimizer(learning_rate=1e-2), 4)
        optimizer.init(model.trainable_parameters())
        stepper = Stepper(model, Core(model, CORE), phase, optimizer)
        losses.append([stepper.take(number, examples[:12]).loss for number in (1, 2, 3)])
        after.append(weights(model))
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    for name, value in after[0].items():
        np.testing.assert_allclose(after[1][name], value, atol=1e-4, err_msg=name)


def test_training_learns(base: Path, examples: list[Example], tmp_path: Path) -> None:
    phase = tiny_phase()
    reports = train(lora_model(base, phase.lora), examples, phase, 60, tmp_path)
    losses = [r.loss for r in reports if isinstance(r, Step)]
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert [r.step for r in reports if isinstance(r, Validated)] == list(range(0, 61, 3))
    assert [r.step for r in reports if isinstance(r, Saved)] == list(range(3, 61, 3))


@given(
    stops=st.lists(st.integers(1, 8), min_size=1, max_size=3, unique=True),
    dropout=st.sampled_from([0.0, 0.1]),
    schedule=st.sampled_from(["linear", "cosine", "constant"]),
    accumulate=st.integers(1, 2),
    checkpoint_every=st.integers(1, 4),
)
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_run_that_was_stopped_ends_bit_for_bit_like_one_that_was_not(
    stops: list[int],
    dropout: float,
    schedule: Any,
    accumulate: int,
    checkpoint_every: int,
    base: Path,
    examples: list[Example],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    tmp_path = tmp_path_factory.mktemp("resume")
    phase = tiny_phase(batch=2, accumulate=accumulate, checkpoint_every=checkpoint_every).model_copy(
        update={
            "lora": Lora(rank=4, dropout=dropout),
            "optimizer": Optimizer(learning_rate=1e-2, warmup=2, schedule=schedule),
        }
    )
    whole = lora_model(base, phase.lora)
    train(whole, examples, phase, 9, tmp_path / "whole")
    part = tmp_path / "part"
    for stop in [*sorted(stops), 100]:
        model = lora_model(base, phase.lora)
        seen: list[int] = []
        saved = checkpoint.checkpoints(part)
        for report in loop.train(
            model, Core(model, CORE), examples, examples[:4], phase, 9, part,
            resume=saved[-1] if saved else None, stop=lambda seen=seen, stop=stop: bool(seen) and seen[-1] >= stop,
        ):  # fmt: skip
            if isinstance(report, Step):
                seen.append(report.step)
    expected = weights(whole)
    for name, value in weights(model).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    a, b = (checkpoint.read_progress(last(folder)) for folder in (part, tmp_path / "whole"))
    assert (a.losses, a.best_step, a.tokens) == (b.losses, b.best_step, b.tokens)


def test_the_probe_chooses_the_best_checkpoint(base: Path, examples: list[Example], tmp_path: Path) -> None:
    phase = tiny_phase()
    scores = iter([0.2, 0.6, 0.6, 0.4])
    reports = train(lora_model(base, phase.lora), examples, phase, 12, tmp_path, probe=lambda model: next(scores))
    untrained, *validated = [r for r in reports if isinstance(r, Validated)]
    assert (untrained.step, untrained.best) == (0, False)
    assert [(r.score, r.best) for r in validated] == [(0.2, True), (0.6, True), (0.6, True), (0.4, False)]
    progress = checkpoint.read_progress(last(tmp_path))
    assert (progress.best_step, progress.best_score) == (9, 0.6)
    assert [p.name for p in checkpoint.checkpoints(tmp_path)] == ["000009", "000012"]


def test_a_probe_that_is_interrupted_is_made_up_for(base: Path, examples: list[Example], tmp_path: Path) -> None:
    phase = tiny_phase()

    def interrupted(model: Any) -> float:
        raise InterruptedByUser("stopped")

    first = train(lora_model(base, phase.lora), examples, phase, 6, tmp_path, probe=interrupted)
    assert [type(r) for r in first[4:]] == [Saved, Stopped]
    second = train(
        lora_model(base, phase.lora), examples, phase, 6, tmp_path, resume=last(tmp_path), probe=lambda model: 0.5
    )
    assert [(r.step, r.score) for r in second if isinstance(r, Validated)] == [(3, 0.5), (6, 0.5)]


@pytest.mark.parametrize("resumed", [False, True])
def test_patience_ends_a_run(resumed: bool, base: Path, examples: list[Example], tmp_path: Path) -> None:
    phase = tiny_phase(patience=2)
    scores = iter([0.9, 0.5, 0.5, 0.5])
    reports = train(lora_model(base, phase.lora), examples, phase, 30, tmp_path, probe=lambda model: next(scores))
    if resumed:
        reports = train(lora_model(base, phase.lora), examples, phase, 30, tmp_path, resume=last(tmp_path))
    assert reports[-1] == Stopped(9, "patience")


def test_without_a_probe_a_lower_loss_is_better() -> None:
    progress = Progress()
    best = []
    for step, loss in ((1, 2.0), (2, 1.0), (3, 1.5)):
        progress.step = step
        best.append(progress.judge(loss, None))
    assert (best, progress.best_step, progress.since_best) == ([True, True, False], 2, 1)


def test_checkpoints_keep_the_newest_and_the_best(base: Path, tmp_path: Path) -> None:
    model = lora_model(base, Lora(rank=4))
    optimizer = make_optimizer(Optimizer(), 10)
    optimizer.init(model.trainable_parameters())
    for step in (3, 6, 9, 12):
        checkpoint.save(tmp_path, model, optimizer, Progress(step=step, best_step=3, best_loss=1.0))
    (tmp_path / ".000015.part").mkdir()
    assert [p.name for p in checkpoint.checkpoints(tmp_path)] == ["000003", "000009", "000012"]


def test_a_damaged_checkpoint_is_named(base: Path, tmp_path: Path) -> None:
    model = lora_model(base, Lora(rank=4))
    optimizer = make_optimizer(Optimizer(), 10)
    optimizer.init(model.trainable_parameters())
    folder = checkpoint.save(tmp_path, model, optimizer, Progress(step=3))
    (folder / "adapters.safetensors").write_bytes(b"\x10\0\0\0")
    with pytest.raises(MissingError, match=f"checkpoint {folder} is damaged"):
        checkpoint.restore(folder, model, optimizer)


def test_a_loss_that_is_not_finite_changes_nothing_and_ends_the_run(
    base: Path, examples: list[Example], tmp_path: Path
) -> None:
    model = lora_model(base, Lora(rank=4))
    before = weights(model)
    model.model.norm.weight = model.model.norm.weight * math.nan
    with pytest.raises(PunieError, match="not finite in 3 steps in a row, up to step 3"):
        train(model, examples, tiny_phase(), 10, tmp_path)
    for name, value in weights(model).items():
        np.testing.assert_array_equal(value, before[name])


@pytest.mark.parametrize(
    "lora, method, message",
    [
        (Lora(layers=0), "lora", "lora.layers is 0; this model has 2"),
        (Lora(layers=3), "full", "lora.layers is 3; this model has 2"),
        (Lora(keys=("self_attn.qq",)), "lora", "no layer of this model is named by lora.keys: self_attn.qq"),
        (Lora(keys=("mlp",)), "dora", "train.method is dora: Can't convert layer of type MLP to LoRA"),
    ],
)
def test_layers_that_cannot_be_adapted_are_refused(lora: Lora, method: str, message: str, base: Path) -> None:
    with pytest.raises(UsageError) as caught:
        lora_model(base, lora, method)
    assert caught.value.message == message


def test_full_training_of_quantized_weights_is_refused(base: Path) -> None:
    model, _, _ = load(base)
    with pytest.raises(UsageError) as caught:
        adapt(model, Lora(layers=1), "full", bits=4)
    assert caught.value.message == (
        "train.method is full, and this model's weights are quantized to 4 bits, which have no gradient; its 1 layers "
        "have 0.0 million parameters: about 0.00 GB with gradients and Adam's state on top of an unquantized model"
    )


@pytest.mark.parametrize(
    "schedule, rates",
    [
        ("linear", {0: 1 / 3, 1: 2 / 3, 2: 1.0, 6: 0.5, 9: 0.125}),
        ("cosine", {0: 1 / 3, 1: 2 / 3, 2: 1.0, 6: 0.5, 9: 0.5 * (1 - math.cos(math.pi / 8))}),
        ("constant", {0: 1 / 3, 1: 2 / 3, 2: 1.0, 6: 1.0, 9: 1.0}),
    ],
)
def test_the_learning_rate_rises_and_falls(schedule: Any, rates: dict[int, float]) -> None:
    optimizer = make_optimizer(Optimizer(learning_rate=1.0, warmup=2, schedule=schedule), 10)
    optimizer.init({"w": mx.zeros(1)})
    found = {}
    for step in range(10):
        optimizer.update({"w": mx.zeros(1)}, {"w": mx.zeros(1)})
        found[step] = float(optimizer.learning_rate)
    assert {step: found[step] for step in rates} == pytest.approx(rates)


def test_the_preflight_leaves_no_trace(base: Path, examples: list[Example]) -> None:
    phase = tiny_phase()
    model = lora_model(base, phase.lora)
    before = weights(model)
    core = Core(model, CORE)
    found = preflight(model, core, examples, examples[:4], phase, 60, layers=2, left=60)
    assert (found.tier, found.measured, found.advice) == ("SAFE", True, "")
    assert found.peak_gb > 0 and found.seconds > 0 and found.disk_gb > 0
    for name, value in weights(model).items():
        np.testing.assert_array_equal(value, before[name])


def test_a_batch_that_cannot_fit_is_not_tried(base: Path, examples: list[Example]) -> None:
    phase = tiny_phase()
    model = lora_model(base, phase.lora)
    found = preflight(model, Core(model, CORE), examples, examples[:4], phase, 60, layers=2, left=60, limit=1000)
    assert (found.tier, found.measured, found.step_seconds) == ("OOM", False, 0.0)
    assert found.advice == "no setting fits here: choose a smaller base model"


def rows_of(*lengths: int) -> list[Example]:
    return [Example([1] * n, [True] * n) for n in lengths]


@pytest.mark.parametrize(
    "limit, advised",
    [
        (1300, "--set train.batch=2 --set train.accumulate=4 (the same steps) needs about 0.00 GB"),
        (1210, "--set train.batch=1 --set train.accumulate=8 (the same steps) needs about 0.00 GB"),
        (1100, "--set train.batch=1 --set train.accumulate=8 --set train.grad_checkpoint=true needs about 0.00 GB"),
        (
            1020,
            "--set train.batch=1 --set train.accumulate=8 --set train.grad_checkpoint=true --set lora.layers=4 "
            "needs about 0.00 GB",
        ),
        (900, "no setting fits here: choose a smaller base model"),
    ],
)
def test_advice_is_the_smallest_change_that_fits(limit: int, advised: str) -> None:
    phase = tiny_phase(batch=4, accumulate=2)
    assert advice(phase, Costs(1000, 1.0), rows_of(*[100] * 8), core=50, layers=16, limit=limit) == advised


@pytest.mark.parametrize("peak, expected", [(80, "SAFE"), (81, "TIGHT"), (100, "TIGHT"), (101, "OOM")])
def test_tiers(peak: int, expected: str) -> None:
    assert tier(peak, 100) == expected
