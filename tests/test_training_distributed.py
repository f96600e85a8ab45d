"""Two trainers over loopback: the same losses as one, an end when one is killed, MLX's own launcher."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from punie_cli.errors import UsageError
from punie_cli.training import run
from punie_cli.training.launch import Hosts, read_hosts
from punie_cli.training.watch import IDLE_S, SILENT_S, STUCK_S, Meeting, State, verdict
from tests.command_line import punie
from tests.tiny import make_tiny_model
from tests.training import records, write_rows

SETS = (
    "train.batch=4", "train.steps=20", "train.checkpoint_every=5", "train.validation_rows=3", "train.probe_rows=0",
    "lora.rank=4", "lora.layers=all", "lora.scale=2", "optimizer.learning_rate=1e-2",
)  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("base"), dtype="float32")


def free_ports(number: int) -> list[int]:
    with_sockets = [socket.socket() for _ in range(number)]
    for each in with_sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in with_sockets]
    for each in with_sockets:
        each.close()
    return ports


def three_ports() -> int:
    """The first of three free ports in a row: that of the watches, and two of the ring."""
    for first in range(free_ports(1)[0] % 20000 + 20000, 60000, 3):
        with ExitStack() as stack:
            try:
                for port in range(first, first + 3):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise AssertionError("no three free ports")


@contextmanager
def two_hosts(home: Path, base: Path, *sets: str, more: Sequence[str] = ()) -> Generator[list[subprocess.Popen[str]]]:
    """Both watches of a run over loopback, started by the environment as MLX's launcher would."""
    first, second, meeting = free_ports(3)
    hostfile = home / "hosts.json"
    hostfile.write_text(json.dumps([[f"127.0.0.1:{first}"], [f"127.0.0.1:{second}"]]))
    options = [option for setting in (*SETS, *sets) for option in ("--set", setting)]
    command = [sys.executable, "-m", "punie_cli", "train", "--phase", "23", "--model", str(base), *options]
    started = []
    for rank in (0, 1):
        environment = os.environ | {
            "PUNIE_HOME": str(home if rank == 0 else home / "other"),
            "MLX_HOSTFILE": str(hostfile),
            "MLX_RANK": str(rank),
            "PUNIE_WATCH": str(Meeting("127.0.0.1", meeting, 2, "token")),
        }
        started.append(
            subprocess.Popen(
                [*command, *more, "--worker", "ring"],
                env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def write_both(home: Path) -> None:
    write_rows(home, longer=3)
    # The second host has the same rows in a home of its own.
    write_rows(home / "other", longer=3)


def test_two_hosts_make_the_steps_of_one(base: Path, punie_home: Path, tmp_path: Path, monkeypatch: Any) -> None:
    write_both(punie_home)
    with two_hosts(punie_home, base) as (first, second):
        assert first.stderr is not None
        for line in first.stderr:
            if line.startswith("step 6 of 20"):
                # One host hears it, and all stop at the same step.
                first.send_signal(signal.SIGINT)
                break
        first.communicate()
        _, err = second.communicate()
        assert (first.returncode, second.returncode) == (130, 130), err
    with two_hosts(punie_home, base, more=["--resume"]) as (first, second):
        (out, err), (other_out, other_err) = first.communicate(), second.communicate()
        assert (first.returncode, second.returncode) == (0, 0), err + other_err
    assert (other_out, other_err) == ("", "")
    assert out.startswith(f"{punie_home}/data/adapters/phase-23: step ")
    assert not (punie_home / "other" / "data" / "runs").exists()
    monkeypatch.setenv("PUNIE_HOME", str(tmp_path / "alone"))
    write_rows(tmp_path / "alone", longer=3)
    alone = run.train(phase=23, model=str(base), sets=SETS).run
    both = punie_home / "data" / "runs" / "23-001"
    for kind, key in (("step", "loss"), ("step", "rows"), ("validated", "loss")):
        ours, theirs = ([line[key] for line in records(folder, kind)] for folder in (both, alone))
        assert ours == pytest.approx(theirs, abs=1e-5)
    assert [line["step"] for line in records(both, "step")] == list(range(1, 21))


@pytest.mark.parametrize("whom", ["watch", "trainer"])
def test_when_one_host_is_killed_the_other_ends(whom: str, base: Path, punie_home: Path) -> None:
    write_both(punie_home)
    with two_hosts(punie_home, base, "train.steps=100000", "train.checkpoint_every=2") as (first, second):
        assert first.stderr is not None
        for line in first.stderr:
            # Step 2 is saved before step 4 is validated.
            if line.startswith("step 4:"):
                break
        (trainer,) = psutil.Process(second.pid).children()
        (own,) = psutil.Process(first.pid).children()
        begin = time.monotonic()
        (psutil.Process(second.pid) if whom == "watch" else trainer).send_signal(signal.SIGKILL)
        _, err = first.communicate()
        took = time.monotonic() - begin
        second.communicate()
    assert first.returncode == 1
    assert took < 60
    # The trainers do not outlive their watches.
    psutil.wait_procs([trainer, own], timeout=60)
    assert not trainer.is_running() and not own.is_running()
    error = [line for line in err.splitlines() if line.startswith("Error: ")][-1]
    reason, _, kept = error.partition("; the last whole checkpoint is ")
    assert (
        reason
        == {
            "watch": "Error: host 1 ended or cannot be reached",
            "trainer": "Error: host 1 failed with exit code -9",
        }[whom]
    )
    assert Path(kept).parent == punie_home / "data" / "runs" / "23-001" / "checkpoints"


def test_the_launcher_runs_both(base: Path, punie_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_rows(punie_home, longer=3)
    hosts = punie_home / "hosts.json"
    hosts.write_text(json.dumps([{"ssh": "127.0.0.1", "ips": ["127.0.0.1"]}] * 2))
    options = [option for setting in (*SETS, "train.steps=4") for option in ("--set", setting)]
    command = [sys.executable, "-m", "punie_cli", "train", "--phase", "23", "--model", str(base), *options]
    environment = os.environ | {"PUNIE_PORT": str(three_ports())}
    done = subprocess.run([*command, "--hosts", str(hosts)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{punie_home}/data/adapters/phase-23: step ")
    assert json.loads((punie_home / "data/runs/23-001/run.json").read_text())["numbers"]["hosts"] == 2


NOW = 1000.0


def state(doing: str, heard: float = 0.0, changed: float = 0.0) -> State:
    """A state that was heard and changed so many seconds ago."""
    return State(doing, 1, NOW - heard, NOW - changed)


@pytest.mark.parametrize(
    "states, used, reason",
    [
        ([state("work"), state("work")], 0, ""),
        ([state("sum", changed=STUCK_S + 1), state("work", changed=STUCK_S + 1)], 0, ""),
        ([state("sum", changed=STUCK_S + 1), state("sum", changed=1)], 99, ""),
        (
            [state("sum", changed=STUCK_S + 1), state("init", changed=STUCK_S + 2)],
            99,
            "all hosts have waited for each other for 30 s",
        ),
        ([state("work"), state("work", heard=SILENT_S + 1)], 0, "host 1 has been silent for 20 s"),
        ([state("work", changed=IDLE_S + 1), state("sum")], 0, ""),
        (
            [state("work", changed=IDLE_S + 1), state("sum")],
            IDLE_S + 1,
            "the trainer of host 0 has done nothing for 45 s",
        ),
        ([state("start", changed=IDLE_S + 1)], IDLE_S + 1, "the trainer of host 0 has done nothing for 45 s"),
    ],
)
def test_what_ends_a_run(states: list[State], used: float, reason: str) -> None:
    assert verdict(dict(enumerate(states)), 0, NOW, used=NOW - used, hosts=2) == reason


@pytest.mark.parametrize(
    "content, backend, message",
    [
        ('[{"ssh": "a", "ips": ["10.0.0.1"]}]', None, "{path} names 1 host; two are needed"),
        ('[{"ssh": "a", "ips": ["10.0.0.1"]}, {"ssh": "b"}]', None, "{path} gives no ips for b"),
        (
            '[{"ssh": "a", "ips": ["10.0.0.1"]}, {"ssh": "b"}]',
            "infiniband",
            "there is no backend 'infiniband'; there are: ring, mpi, jaccl, jaccl-ring, nccl",
        ),
        ('{"hosts": 3}', None, "{path} is no MLX host file: TypeError(\"'int' object is not iterable\")"),
    ],
)
def test_host_files_that_cannot_be_used(content: str, backend: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "hosts.json"
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        read_hosts(path, backend)
    assert caught.value.message == message.format(path=path)


def test_a_host_file_may_name_its_backend(tmp_path: Path) -> None:
    path = tmp_path / "hosts.json"
    path.write_text('{"backend": "jaccl", "hosts": [{"ssh": "a", "ips": ["10.0.0.1"]}, {"ssh": "b"}]}')
    assert read_hosts(path) == Hosts(2, "jaccl", "a", "10.0.0.1")


def test_a_worker_needs_a_launch() -> None:
    done = punie("train", "--phase", "23", "--worker", "ring")
    assert (done.code, done.stderr) == (
        2,
        "Error: --worker needs PUNIE_WATCH=IP,PORT,HOSTS,TOKEN\nTry: punie train --phase 23 --hosts FILE\n",
    )


def test_what_follows_a_training_is_for_one_machine(tmp_path: Path) -> None:
    path = tmp_path / "hosts.json"
    path.write_text("[]")
    done = punie("train", "--phase", "23", "--hosts", str(path), "--through", "fuse")
    assert (done.code, done.stderr.splitlines()[0]) == (
        2, "Error: --through and --hosts do not go together: what follows runs on one machine",
    )  # fmt: skip
