"""`train.start`: a training that begins with an adapter."""

import json
from pathlib import Path
from typing import Any

import pytest

from punie_cli.errors import InterruptedByUser, MissingError, UsageError
from punie_cli.paths import data_dir
from punie_cli.training import run
from punie_cli.training.fingerprints import adapter_hash
from punie_cli.training.reports import Validated
from tests.test_training_run import SETS, interrupt_at
from tests.tiny import make_tiny_model
from tests.training import write_rows


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("base"), dtype="float32")


@pytest.fixture
def tiny(base: Path, punie_home: Path) -> dict[str, Any]:
    write_rows(punie_home)
    return {"phase": 23, "model": str(base)}


@pytest.fixture
def first(tiny: dict[str, Any]) -> Path:
    """An adapter called `first`."""
    out = data_dir() / "adapters" / "first"
    return run.train(**tiny, sets=SETS, out=out).adapter


def test_it_goes_on_from_the_adapter(tiny: dict[str, Any], first: Path) -> None:
    losses = {}
    for name, sets in (("anew", SETS), ("goes on", (*SETS, "train.start=first"))):
        seen: list[Any] = []
        finished = run.train(**tiny, sets=sets, report=seen.append)
        losses[name] = next(event.loss for event in seen if isinstance(event, Validated))
    last = json.loads((first / "punie.json").read_text())["validation_loss"]
    # LoRA factors are kept as float16.
    assert losses["goes on"] == pytest.approx(last, abs=1e-3)
    assert losses["goes on"] < losses["anew"] - 0.1
    record = json.loads((finished.adapter / "punie.json").read_text())
    assert record["start"] == {"name": "first", "hash": str(adapter_hash(str(first)))[:16]}


def test_a_run_that_was_stopped_no_longer_needs_it(tiny: dict[str, Any], first: Path) -> None:
    begun = (*SETS, "train.start=first")
    digest = str(adapter_hash(str(first)))[:16]
    with pytest.raises(InterruptedByUser):
        run.train(**tiny, sets=begun, report=interrupt_at(4))
    first.rename(first.with_name("elsewhere"))
    finished = run.train(phase=23, resume=True)
    assert json.loads((finished.adapter / "punie.json").read_text())["start"] == {"name": "first", "hash": digest}


def test_one_that_is_not_there(tiny: dict[str, Any]) -> None:
    with pytest.raises(MissingError) as caught:
        run.train(**tiny, sets=(*SETS, "train.start=phase-22"))
    assert caught.value.message == "train.start: there is no adapter 'phase-22'"
    assert caught.value.hint == "punie train --phase 22"
    assert list((data_dir() / "runs").glob("23-*")) == []


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("lora.scale=4", "train.start: adapter first has scale 20, lora.scale is 4"),
        ("train.method=dora", "train.start: adapter first was trained by lora, train.method is dora"),
        ("lora.rank=8", "train.start: adapter first has (128, 4) at "),
        ("lora.layers=2", "train.start: adapter first has nothing at "),
    ],
)
def test_one_that_does_not_fit_the_recipe(tiny: dict[str, Any], first: Path, other: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        run.train(**tiny, sets=(*SETS, "train.start=first", other))
    assert caught.value.message.startswith(message)


def test_one_of_another_base(tiny: dict[str, Any], first: Path, tmp_path: Path) -> None:
    other = make_tiny_model(tmp_path / "other", dtype="float32", seed=5)
    with pytest.raises(UsageError, match="adapter first was trained on another base"):
        run.train(phase=23, model=str(other), sets=(*SETS, "train.start=first"))
