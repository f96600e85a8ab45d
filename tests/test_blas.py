import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from punie_cli.engine.blas import backend, load_blas, physical_cores

cpu_only = pytest.mark.skipif(backend() != "cpu", reason="a BLAS is loaded for the Linux CPU backend only")

REPORT = """
import json
from punie_cli.engine.blas import backend, load_blas
from punie_cli.errors import PunieError
try:
    found = load_blas()
    assert load_blas("/no/such/library.so") is found
    print(json.dumps([backend(), found.name, found.path and str(found.path), found.source, found.threads]))
except PunieError as error:
    print(json.dumps([type(error).__name__, error.message, error.hint]))
"""


def report(code: str = REPORT, **variables: str | None) -> Any:
    """What a fresh process says; a variable that is None is not set."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PUNIE_BLAS", "OMP_NUM_THREADS")}
    clean.pop("MKL_NUM_THREADS", None)
    root = str(Path(__file__).parent.parent)
    clean["PYTHONPATH"] = os.pathsep.join(filter(None, [variables.pop("PYTHONPATH", None), root]))
    clean |= {name: value for name, value in variables.items() if value is not None}
    done = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@cpu_only
def test_the_library_that_is_found_is_reported() -> None:
    found = report(OMP_NUM_THREADS=os.environ["OMP_NUM_THREADS"])
    loaded = load_blas()
    assert found == ["cpu", loaded.name, loaded.path and str(loaded.path), loaded.source, loaded.threads]
    assert loaded.name in ("mkl", "openblas", "netlib", "custom")


@cpu_only
def test_none_keeps_the_one_of_mlx() -> None:
    assert report(PUNIE_BLAS="none") == ["cpu", "netlib", None, "switched off by PUNIE_BLAS=none", None]


@cpu_only
def test_a_library_that_does_not_load_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "libnot.so"
    path.write_text("not a library")
    kind, message, hint = report(PUNIE_BLAS=str(path))
    assert (kind, hint) == ("UsageError", "punie doctor")
    assert message.startswith(f"BLAS {path} cannot be loaded: ")


@cpu_only
def test_a_library_without_products_is_an_error() -> None:
    # Every Linux process can load the C library.
    assert report(PUNIE_BLAS="libc.so.6") == [
        "UsageError",
        "BLAS libc.so.6 has no cblas_sgemm",
        "punie doctor",
    ]


@cpu_only
def test_after_mlx_it_is_too_late() -> None:
    found = report("import mlx.core\n" + REPORT)
    assert found == ["cpu", "netlib", None, "mlx was imported before a BLAS was loaded", None]


@cpu_only
@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "MKL_NUM_THREADS"])
def test_threads_that_the_user_set_are_left_alone(variable: str) -> None:
    assert report(**{variable: "1"})[-1] is None


@cpu_only
def test_a_named_library_goes_before_the_search() -> None:
    found = load_blas()
    if found.path is None:
        # Nothing to name on a machine without a BLAS: then the search found none either.
        assert report()[1] == "netlib"
        return
    assert report(PUNIE_BLAS=str(found.path))[1:4] == ["custom", str(found.path), "PUNIE_BLAS"]


def test_cores_are_those_of_this_process() -> None:
    assert 1 <= physical_cores() <= (psutil.cpu_count() or 1)


@cpu_only
def test_products_are_right_with_it() -> None:
    import mlx.core as mx
    import numpy as np

    random = np.random.default_rng(0)
    left, right = (random.standard_normal((70, 70)).astype(np.float32) for _ in range(2))
    assert np.allclose(np.array(mx.array(left) @ mx.array(right)), left @ right, atol=1e-4)


@pytest.mark.parametrize(
    ("distributions", "expected"),
    [
        (["mlx_cuda_13"], ["cuda", "not-needed", None, "the cuda backend has its own", None]),
        (["mlx_cuda_12", "mlx_cpu"], ["cuda", "not-needed", None, "the cuda backend has its own", None]),
        (["mlx_metal"], ["metal", "not-needed", None, "the metal backend has its own", None]),
    ],
)
def test_other_backends_need_no_blas(distributions: list[str], expected: list[Any], tmp_path: Path) -> None:
    pretend(tmp_path, distributions)
    assert report(PYTHONPATH=str(tmp_path)) == expected


def pretend(folder: Path, distributions: list[str]) -> None:
    """Package metadata as an installer writes it."""
    for name in distributions:
        info = folder / f"{name}-0.32.4.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 0.32.4\n")


@pytest.mark.parametrize(
    ("platform", "hint"),
    [
        ("linux", "pip install 'punie-cli[cpu]', or 'punie-cli[cuda13]' on a machine with an NVIDIA GPU"),
        ("darwin", "pip install --force-reinstall punie-cli"),
    ],
)
def test_without_a_backend_the_extra_is_named(platform: str, hint: str, tmp_path: Path) -> None:
    # Only what blas.py itself imports: no site-packages, so no backend.
    (tmp_path / "psutil").symlink_to(Path(psutil.__file__).parent)
    code = f"""
import json, sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path]
import psutil
sys.platform = {platform!r}
from punie_cli.engine.blas import backend, require_backend
from punie_cli.errors import MissingError
try:
    require_backend()
except MissingError as error:
    print(json.dumps([backend(), error.message, error.hint, "mlx" in sys.modules]))
"""
    found = report(code, PYTHONPATH=str(tmp_path))
    assert found == ["none", "no MLX backend is installed", hint, False]
