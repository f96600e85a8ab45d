"""Fixtures for all tests: folders of their own for each test; one sandbox, and the embedded model, once for all."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# MLX would run a C++ compiler for each fused kernel. Must be set before mlx is imported; any value counts.
os.environ["MLX_DISABLE_COMPILE"] = "1"
# No test may reach a hub; the tests of pulls talk to a server of their own.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from punie_cli import paths
from punie_cli.builtins.registry import Registry
from punie_cli.enclosure.level import probe
from punie_cli.engine.blas import load_blas
from punie_cli.models.embedded import NAME, pull_embedded
from punie_cli.sandbox.host import Sandbox

# One thread: on a busy machine the threads of a BLAS wait for each other at every small product.
os.environ.setdefault("OMP_NUM_THREADS", "1")
load_blas()

# Where nothing can enclose commands every one is asked about: most tests look at something else.
if "write" not in probe().holds:
    os.environ.setdefault("PUNIE_COMMANDS", "open")

# A deadline for each example would fail on a busy machine.
settings.register_profile("punie", deadline=None)
settings.load_profile("punie")

# Before any test gets folders of its own: where this machine may already have the embedded model.
_STORES = [Path(folder) for folder in (os.environ.get("PUNIE_TEST_MODELS"),) if folder]
_STORES.append(paths.data_dir() / "models")


@pytest.fixture(autouse=True)
def punie_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PUNIE_HOME for each test."""
    home = tmp_path / "punie-home"
    monkeypatch.setenv("PUNIE_HOME", str(home))
    return home


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in which the test works."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """For tests that need no sandbox of their own: programs may call every builtin."""
    box = Sandbox(Registry().specs())
    yield box
    asyncio.run(box.close())


@pytest.fixture(scope="session")
def embedded_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The imported embedded model: from PUNIE_TEST_MODELS, the user's store, or pulled once. Read only."""
    for store in _STORES:
        if (store / NAME / "model.safetensors").is_file():
            return store / NAME
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PUNIE_HOME", str(tmp_path_factory.mktemp("models-home")))
        return pull_embedded()
