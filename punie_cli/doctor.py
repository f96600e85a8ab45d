"""Looks at what a turn needs: `punie doctor`. Works without a backend, a model or a readable configuration."""

import asyncio
import contextlib
import hashlib
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from punie_cli import __version__, paths, surroundings
from punie_cli.errors import PunieError
from punie_cli.settings import Settings, config_file, load

# Loading MKL and mlx from a cold disk takes seconds.
_TOOL_S = 120
_LOW_DISK_GB = 1.0
# Takes about a second per GB the first time.
_HASHED_GB = 2.0
# In a process of its own: a damaged wheel may end the process that imports it.
_DEVICE = """
import mlx.core as mx
info = mx.device_info()
limit = info.get("max_recommended_working_set_size") or info.get("total_memory")
print(mx.default_device(), info.get("device_name", ""), f"{limit / 1e9:.1f} GB for models" if limit else "", sep="|")
"""


@dataclass(frozen=True)
class Check:
    """One line of the report. `ok` is None for what cannot be wrong; `needed`: no turn runs without it."""

    name: str
    value: str
    ok: bool | None = None
    hint: str | None = None
    needed: bool = False


@dataclass(frozen=True)
class Report:
    """All checks; `ok` says whether a turn could run."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return not any(check.needed and check.ok is False for check in self.checks)

    def json(self) -> dict[str, Any]:
        """For `--json`."""
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks]}


def examine(flags: dict[str, Any] | None = None, root: Path | None = None) -> Report:
    """Run all checks; takes a few seconds, because mlx and ty are started once. `root` is the folder worked in."""
    return Report(tuple(_checks(flags or {}, root or Path.cwd())))


def _checks(flags: dict[str, Any], root: Path) -> Iterator[Check]:
    yield Check("punie", f"{__version__} in {Path(__file__).resolve().parent}")
    yield Check("python", f"{platform.python_version()} ({sys.executable})")
    yield Check("platform", platform.platform())
    yield _tried("chip", lambda: Check("", surroundings.chip()))
    settings = Settings()
    try:
        settings = load(flags, root)
        there = "" if config_file().is_file() else " (none)"
        yield Check("settings", f"{config_file()}{there}", True, needed=True)
    except PunieError as error:
        yield Check("settings", error.message, False, error.hint, needed=True)
    else:
        yield _tried("origins", lambda: Check("", surroundings.origins(flags, root)))
    yield _tried("backend", _backend, needed=True)
    yield _tried("versions", _versions)
    yield _tried("BLAS", lambda: _blas(settings))
    yield _tried("memory", lambda: Check("", surroundings.memory()))
    yield _tried("disk", _disk)
    for name, folder in (
        ("config", paths.config_dir()),
        ("data", paths.data_dir()),
        ("cache", paths.cache_dir()),
        ("state", paths.state_dir()),
    ):
        yield _writable(name, folder)
    yield _tried("log", lambda: Check("", surroundings.log()))
    yield _tried("sessions", lambda: Check("", surroundings.sessions()))
    yield _tried("terminal", lambda: Check("", surroundings.terminal()))
    with contextlib.suppress(PunieError):
        yield from _lost()
    yield _tried("model", lambda: _model(settings), needed=True)
    yield _tried("adapter", lambda: _adapter(settings), needed=True)
    yield _tried("ty", lambda: _tool(settings, "ty", "typecheck"))
    yield _tried("ruff", lambda: _tool(settings, "ruff", "lint"))
    yield _tried("pytest", lambda: _pytest(settings))
    yield _tried("sandbox", _sandbox, needed=True)
    yield _tried("commands", lambda: _commands(settings))


def _tried(name: str, look: Callable[[], Check], *, needed: bool = False) -> Check:
    """A check whose own failure is its result."""
    try:
        found = look()
    except PunieError as error:
        return Check(name, error.message, False, error.hint, needed)
    except Exception as error:
        return Check(name, f"{type(error).__name__}: {error}", False, None, needed)
    return Check(name, found.value, found.ok, found.hint, needed)


def _backend() -> Check:
    from punie_cli.engine.blas import require_backend

    name = require_backend()
    done = subprocess.run(
        [sys.executable, "-c", _DEVICE], capture_output=True, text=True, errors="replace", timeout=_TOOL_S, cwd="/"
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        reason = lines[-1] if lines else f"exit code {done.returncode}"
        return Check("", f"{name}, but mlx cannot be imported: {reason}", False, "reinstall punie-cli")
    return Check("", ", ".join(part for part in (name, *done.stdout.strip().split("|")) if part), True)


def _versions() -> Check:
    found = []
    for name in ("mlx", "mlx-lm", "transformers", "huggingface_hub", "restrictedpython"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} missing")
    missing = any(entry.endswith("missing") for entry in found)
    return Check("", ", ".join(found), not missing, "pip install --force-reinstall punie-cli" if missing else None)


def _blas(settings: Settings) -> Check:
    from punie_cli.engine.blas import load_blas

    blas = load_blas(settings.blas)
    threads = f", {blas.threads} threads" if blas.threads else ""
    place = f" ({blas.path})" if blas.path else ""
    if blas.name == "netlib":
        hint = "pip install mkl, or the OpenBLAS of your system: float32 is tens of times faster"
        return Check("", f"netlib, which is slow: {blas.source}", False, hint)
    return Check("", f"{blas.name} from {blas.source}{place}{threads}", True)


def _disk() -> Check:
    place = _existing(paths.data_dir())
    free = shutil.disk_usage(place).free / 1e9
    enough = free >= _LOW_DISK_GB
    return Check("", f"{free:.1f} GB free in {place}", enough, None if enough else "punie models list")


def _writable(name: str, folder: Path) -> Check:
    place = _existing(folder)
    if os.access(place, os.W_OK):
        return Check(name, str(folder), True)
    return Check(name, f"{folder} cannot be written", False, "set PUNIE_HOME to a folder of yours")


def _lost() -> Iterator[Check]:
    from punie_cli.models import store

    if lost := store.in_use().lost:
        yield Check("in use", lost, False, "punie use previous")


def _model(settings: Settings) -> Check:
    from punie_cli.models import store
    from punie_cli.models.files import check_complete, read_config, weight_hash
    from punie_cli.models.load import precision

    folder = store.find(settings.model)
    weights = check_complete(folder)
    text = f"{store.name_of(folder)}, {weights.parameters / 1e6:.0f} million parameters, {weights.size / 1e9:.2f} GB"
    # Without a backend there is no precision to tell; that is a check of its own.
    with contextlib.suppress(PunieError):
        text += f", {precision(read_config(folder)).text}"
    if weights.size < _HASHED_GB * 1e9:
        text += f", weights {weight_hash(folder)[:12]}"
    return Check("", text, True)


def _adapter(settings: Settings) -> Check:
    from punie_cli.agent.open import choose

    try:
        choice = choose(settings)
    except PunieError as error:
        if "adapter" in error.message:
            raise
        return Check("", "not checked: no model", None)
    if choice.adapter is None:
        return Check("", "none: the model was not trained by punie", None)
    prompt = f", prompt {choice.core.hash[:12]}" if choice.core else ", without a prompt core"
    weights = hashlib.sha256((choice.adapter / "adapters.safetensors").read_bytes()).hexdigest()
    return Check("", f"{choice.adapter}, weights {weights[:12]}{prompt}", True)


def _tool(settings: Settings, name: Literal["ty", "ruff"], builtin: str) -> Check:
    from punie_cli.find_tool import tool_command
    from punie_cli.workspace import Workspace

    workspace = Workspace(Path.cwd(), ty=settings.ty, ruff=settings.ruff)
    command = tool_command(workspace, name)
    if command is None:
        return Check("", f"not found: {builtin} will not work", False, f"uv tool install {name}")
    done = asyncio.run(workspace.run([*command, "--version"], timeout_s=_TOOL_S))
    if done.exit_code != 0:
        return Check("", f"{command[0]} failed: {done.stderr.strip()}", False, f"uv tool install {name}")
    return Check("", f"{done.stdout.strip()} ({command[0]})", True)


def _pytest(settings: Settings) -> Check:
    from punie_cli.find_tool import pytest_python
    from punie_cli.workspace import Workspace

    found = pytest_python(Workspace(Path.cwd(), python=settings.python))
    if found is None:
        return Check("", "not found: test will not work", False, "uv pip install pytest")
    python, environment = found
    if environment is None:
        return Check("", f"pytest {importlib.metadata.version('pytest')} ({python})", True)
    # Not started: what lies in a project's environment runs only after a question.
    if list(environment.glob("lib/python*/site-packages/pytest/__init__.py")):
        return Check("", f"in {environment}", True)
    return Check(
        "", f"not in {environment}: test will not work", False, f"uv pip install --python {environment} pytest"
    )


def _sandbox() -> Check:
    from punie_cli.sandbox.host import Sandbox, sandbox_layers

    async def run_one() -> str:
        async def no_call(name: str, args: dict[str, Any]) -> dict[str, Any]:
            raise AssertionError(name)

        async with Sandbox([]) as sandbox, await sandbox.turn() as turn:
            return (await turn.run("print(6 * 7)", no_call)).text

    works = asyncio.run(run_one()) == "42\n"
    layers = "; ".join(name for name, there in sandbox_layers().items() if there)
    return Check("", layers if works else "a program does not run", works, None if works else "report it as a bug")


def _commands(settings: Settings) -> Check:
    from punie_cli.enclosure.level import probe

    # Tried anew: what was installed a minute ago counts.
    found = probe()
    if settings.commands == "open":
        return Check("", f"open: they run as you do; possible is {found.text}", None)
    text = found.text if found.missing is None else f"{found.text}; {found.missing}"
    return Check("", text, found.missing is None, found.hint)


def _existing(folder: Path) -> Path:
    while not folder.exists():
        folder = folder.parent
    return folder
