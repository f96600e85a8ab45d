"""A training that is killed, interrupted or runs into a full disk: real processes, and the same adapter at the end."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from tests.tiny import make_tiny_model
from tests.training import records, write_rows

SETS = (
    "train.batch=2", "train.steps=12", "train.checkpoint_every=4", "train.validation_rows=3", "lora.rank=4",
    "lora.layers=1", "lora.scale=2", "train.probe_rows=0", "optimizer.learning_rate=1e-2",
)  # fmt: skip

# Lets the file of a checkpoint be written in part only, as a full disk does.
FULL_DISK = """
import resource, sys
from punie_cli.engine.blas import load_blas
load_blas()
from punie_cli.training import checkpoint
from punie_cli.cli import run
save = checkpoint.save
def save_on_a_full_disk(folder, model, optimizer, progress):
    if progress.step == 8:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))
    return save(folder, model, optimizer, progress)
checkpoint.save = save_on_a_full_disk
sys.exit(run(sys.argv[1:]))
"""

COMMAND = [sys.executable, "-m", "punie_cli"]


def arguments(base: Path, *more: str) -> list[str]:
    sets = [option for setting in SETS for option in ("--set", setting)]
    return ["train", "--phase", "23", "--model", str(base), *sets, *more]


def environment(home: Path) -> dict[str, str]:
    return os.environ | {"PUNIE_HOME": str(home)}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("base"), dtype="float32")


@pytest.fixture(scope="module")
def whole(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a run that nobody disturbed."""
    home = tmp_path_factory.mktemp("whole")
    write_rows(home, longer=3)
    subprocess.run([*COMMAND, *arguments(base)], env=environment(home), check=True, capture_output=True)
    return home


def run_folder(home: Path) -> Path:
    return home / "data" / "runs" / "23-001"


def stop_when(process: subprocess.Popen[str], line: str, number: int) -> str:
    """Send a signal when the process tells this; returns all that it wrote to stderr."""
    assert process.stderr is not None
    seen = []
    for text in process.stderr:
        seen.append(text)
        if text.startswith(line):
            process.send_signal(number)
            break
    return "".join(seen) + process.stderr.read()


def started(home: Path, base: Path, *more: str) -> subprocess.Popen[str]:
    command = [*COMMAND, *arguments(base, *more)]
    return subprocess.Popen(
        command, env=environment(home), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def killed(home: Path, base: Path) -> None:
    with started(home, base) as process:
        stop_when(process, "step 6 of 12", signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert records(run_folder(home), "saved")[-1]["step"] == 4


def interrupted(home: Path, base: Path) -> None:
    with started(home, base) as process:
        told = stop_when(process, "step 6 of 12", signal.SIGINT)
    last = records(run_folder(home), "saved")[-1]["step"]
    assert process.returncode == 130
    assert told.splitlines()[-2:] == [
        f"Error: stopped after step {last} of 12; everything is kept in {run_folder(home)}",
        "Try: punie train --phase 23 --resume",
    ]


def full_disk(home: Path, base: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, *arguments(base)], env=environment(home), capture_output=True, text=True
    )
    checkpoints = run_folder(home) / "checkpoints"
    error, hint = done.stderr.splitlines()[-2:]
    assert done.returncode == 1
    assert error.startswith("Error: the checkpoint of step 8 could not be written: ")
    assert error.endswith(f"; the last whole one is {checkpoints / '000004'}")
    assert hint == "Try: make room on the disk, then train with --resume"
    assert [path.name for path in checkpoints.iterdir()] == ["000004"]


@pytest.mark.parametrize("disturbed", [killed, interrupted, full_disk])
def test_a_disturbed_run_ends_with_the_same_adapter(
    disturbed: Callable[[Path, Path], None], base: Path, whole: Path, punie_home: Path
) -> None:
    write_rows(punie_home, longer=3)
    disturbed(punie_home, base)
    done = subprocess.run(
        [*COMMAND, "train", "--phase", "23", "--resume"], env=environment(punie_home), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.splitlines()[-1].partition(":")[0]) == (0, "step 12")
    assert [line["step"] for line in records(run_folder(punie_home), "step")] == list(range(1, 13))
    for line, expected in zip(
        records(run_folder(punie_home), "validated"), records(run_folder(whole), "validated"), strict=True
    ):
        assert line == expected
    for made in ("adapter/adapters.safetensors", "checkpoints/000012/optimizer.safetensors"):
        ours, theirs = (load_file(run_folder(home) / made) for home in (punie_home, whole))
        assert ours.keys() == theirs.keys()
        assert {name: value.tobytes() for name, value in ours.items()} == {
            name: value.tobytes() for name, value in theirs.items()
        }


def test_a_second_interrupt_ends_at_once(base: Path, punie_home: Path) -> None:
    write_rows(punie_home, longer=3)
    with started(punie_home, base, "--set", "train.steps=100000") as process:
        assert process.stderr is not None
        for text in process.stderr:
            if text.startswith("memory"):
                # The two must not arrive together: of a signal that waits there is one only.
                process.send_signal(signal.SIGINT)
                process.send_signal(signal.SIGTERM)
                break
        process.stderr.read()
    # Between the two a step may have ended.
    assert process.returncode in (130, -signal.SIGTERM)
