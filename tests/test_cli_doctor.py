"""punie doctor: what it reports on a machine that works, and on ones that do not."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from punie_cli import __version__, surroundings
from punie_cli.doctor import examine
from punie_cli.models.building import store_folder
from punie_cli.models.files import weight_hash
from punie_cli.paths import log_file
from punie_cli.settings import config_file
from punie_cli.store import session_file
from tests.command_line import App, punie
from tests.tiny import make_tiny_model

NAMES = [
    "punie", "python", "platform", "chip", "settings", "origins", "backend", "versions", "BLAS", "memory", "disk",
    "config", "data", "cache", "state", "log", "sessions", "terminal", "model", "adapter", "ty", "ruff", "pytest",
    "sandbox", "commands",
]  # fmt: skip


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_machine_that_works() -> None:
    make_tiny_model(store_folder() / "tiny")
    ran = punie("doctor", "--json", "--model", "tiny", use=App())
    report = json.loads(ran.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert (ran.code, report["ok"], list(checks)) == (0, True, NAMES)
    assert [name for name, check in checks.items() if check["needed"] and check["ok"] is False] == []
    assert checks["punie"]["value"].startswith(f"{__version__} in ")
    assert checks["model"]["value"].startswith("tiny, 0 million parameters, 0.00 GB, float16")
    assert checks["ty"]["value"].startswith("ty 0.")
    assert checks["ruff"]["value"].startswith("ruff 0.")
    assert checks["pytest"]["ok"] is True
    assert checks["origins"]["value"] == "model from the command line"
    assert checks["model"]["value"].partition(", weights ")[2] == weight_hash(store_folder() / "tiny")[:12]
    assert checks["sessions"]["value"] == f"none yet ({session_file()})"
    assert checks["log"]["value"] == f"{log_file()} (none)"
    assert checks["terminal"]["value"].startswith("no terminal, ")
    assert all(check["value"] for check in checks.values())


def test_where_settings_come_from_without_their_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config_file().parent.mkdir(parents=True)
    config_file().write_text("notify = 'curl -H secret-token'\nmax_steps = 3\n")
    Path("pyproject.toml").write_text("[tool.punie]\nmode = 'read-only'\nadapter = 'theirs'\n")
    monkeypatch.setenv("PUNIE_COLOR", "never")
    report = examine(root=tmp_path)
    here = Path(os.path.realpath(tmp_path)) / "pyproject.toml"
    assert next(check.value for check in report.checks if check.name == "origins") == (
        f"max_steps, notify from {config_file()}; mode from {here}; color from the environment; "
        f"not applied: adapter of {here}"
    )
    assert "secret-token" not in json.dumps(report.json())


def test_what_punie_keeps(tmp_path: Path) -> None:
    assert punie("exec", "-", stdin="print(1)").code == 0
    log_file().parent.mkdir(parents=True, exist_ok=True)
    log_file().write_text("x" * 200_000)
    assert surroundings.sessions().startswith(f"1 in {session_file()}, ")
    assert surroundings.log().startswith(f"{log_file()}, 0.2 MB, last written 20")
    session_file().write_text("no store" * 200)
    with pytest.raises(sqlite3.DatabaseError):
        surroundings.sessions()


def test_without_a_model() -> None:
    ran = punie("doctor", use=App())
    lines = ran.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("!! model"))
    assert (ran.code, ran.stderr) == (3, "")
    assert lines[at : at + 3] == [
        "!! model     the embedded model smollm2-135m is not here yet",
        "             Try: punie models pull embedded",
        "   adapter   not checked: no model",
    ]


def test_a_configuration_that_cannot_be_read() -> None:
    config_file().parent.mkdir(parents=True)
    config_file().write_text("modle = 1")
    report = json.loads(punie("doctor", "--json", use=App()).stdout)
    settings = next(check for check in report["checks"] if check["name"] == "settings")
    assert settings == {
        "name": "settings",
        "value": f"{config_file()} has modle, which is no setting; did you mean model?",
        "ok": False,
        "hint": f"edit {config_file()}",
        "needed": True,
    }


_HIDDEN = """
import importlib.metadata, sys
found = importlib.metadata.distribution
def distribution(name):
    if name in ("mlx-cpu", "mlx-cuda-12", "mlx-cuda-13", "mlx-metal"):
        raise importlib.metadata.PackageNotFoundError(name)
    return found(name)
importlib.metadata.distribution = distribution
from punie_cli.cli import run
sys.exit(run(["doctor", "--json"]))
"""


def test_without_a_backend() -> None:
    root = str(Path(__file__).resolve().parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", _HIDDEN], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root}
    )
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert (done.returncode, done.stderr, list(checks)) == (3, "", NAMES)
    assert (checks["backend"]["ok"], checks["backend"]["value"]) == (False, "no MLX backend is installed")
    assert checks["sandbox"]["ok"] is True


def test_an_adapter_that_is_gone() -> None:
    make_tiny_model(store_folder() / "tiny")
    ran = punie("doctor", "--json", "--model", "tiny", "--adapter", "gone", use=App())
    adapter = next(check for check in json.loads(ran.stdout)["checks"] if check["name"] == "adapter")
    assert (ran.code, adapter["ok"], adapter["value"]) == (3, False, "no adapter 'gone' for model tiny")
