"""Which MLX backend is installed, and a fast BLAS for the CPU one.

The Linux CPU wheel of MLX carries the reference BLAS, tens of times slower than MKL or OpenBLAS at float32
products. A library loaded with global symbols before `mlx.core` wins over it: call `load_blas()` first in
each process that computes. `benchmarks/blas.py` measures the ratio.
"""

import ctypes
import functools
import importlib.metadata
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from punie_cli.errors import MissingError, UsageError

# Distributions that carry a backend. A CUDA wheel goes first: it holds a CPU part, too.
_BACKENDS = {"mlx-cuda-13": "cuda", "mlx-cuda-12": "cuda", "mlx-metal": "metal", "mlx-cpu": "cpu"}

# Each library has its own call for its thread pool; environment variables would leak into child processes.
_SET_THREADS = ("MKL_Set_Num_Threads", "openblas_set_num_threads")

# From mkl_service.h.
_CBWR_AUTO, _CBWR_STRICT = 2, 0x10000


@dataclass(frozen=True)
class Blas:
    """The BLAS that float32 products use: `name` is mkl, openblas, custom, netlib (slow) or not-needed."""

    name: str
    path: Path | None
    source: str
    threads: int | None = None
    branch: int | None = None
    """MKL's code path for this processor (its number for AVX2, AVX-512 …); None for other libraries."""

    @property
    def settings(self) -> dict[str, Any]:
        """What the last bits of a product depend on: a training goes on bit for bit only with the same."""
        named = os.environ.get("MKL_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") if self.path else None
        threads = self.threads or (int(named) if named and named.isdecimal() else named)
        return {"blas": self.name, "threads": threads, "branch": self.branch}


_lock = threading.Lock()
_loaded: Blas | None = None
# The handle is kept for the life of the process: an unloaded library would leave MLX without its symbols.
_handle: ctypes.CDLL | None = None


@functools.cache
def backend() -> str:
    """The installed MLX backend: metal, cuda, cpu or none. Reads package metadata only; imports no mlx."""
    for distribution, name in _BACKENDS.items():
        try:
            importlib.metadata.distribution(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
        return name
    return "none"


def require_backend() -> str:
    """The installed backend; raises MissingError that names the extra to install when there is none."""
    name = backend()
    if name != "none":
        return name
    if sys.platform == "darwin":
        raise MissingError("no MLX backend is installed", "pip install --force-reinstall punie-cli")
    raise MissingError(
        "no MLX backend is installed",
        "pip install 'punie-cli[cpu]', or 'punie-cli[cuda13]' on a machine with an NVIDIA GPU",
    )


def load_blas(setting: str | None = None) -> Blas:
    """Load a fast BLAS for the CPU backend and switch mx.compile off there, once, before `mlx.core` is imported.

    `setting` is a path or "none"; the environment variable PUNIE_BLAS goes before it. Order without either:
    the MKL wheel, the system's OpenBLAS, else MLX's own netlib. Raises UsageError if the named library does
    not load.
    """
    global _loaded
    with _lock:
        if _loaded is None:
            _loaded = _load(os.environ.get("PUNIE_BLAS") or setting)
        return _loaded


def _load(wanted: str | None) -> Blas:
    if sys.platform == "darwin" or backend() in ("metal", "cuda"):
        return Blas("not-needed", None, f"the {backend()} backend has its own")
    if "mlx.core" in sys.modules:
        return Blas("netlib", None, "mlx was imported before a BLAS was loaded")
    # On the CPU mx.compile runs g++ and loads what it built from the shared temporary folder, and neither decoding nor
    # training was faster for it. Not later by disable_compile(): a process that compiled before crashes at its end.
    os.environ.setdefault("MLX_DISABLE_COMPILE", "1")
    if wanted == "none":
        return Blas("netlib", None, "switched off by PUNIE_BLAS=none")
    if wanted:
        return _open("custom", Path(wanted).expanduser(), "PUNIE_BLAS")
    failures = []
    for name, path, source in _candidates():
        try:
            return _open(name, path, source)
        except UsageError as error:
            failures.append(error.message)
    return Blas("netlib", None, "; ".join(failures) or "neither MKL nor OpenBLAS was found")


def _open(name: str, path: Path, source: str) -> Blas:
    global _handle
    try:
        library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise UsageError(f"BLAS {path} cannot be loaded: {error}", "punie doctor") from error
    if not hasattr(library, "cblas_sgemm"):
        raise UsageError(f"BLAS {path} has no cblas_sgemm", "punie doctor")
    _handle = library
    branch = _same_bits(library)
    return Blas(name, path, source, _set_threads(library), branch)


def _same_bits(library: ctypes.CDLL) -> int | None:
    """Make MKL's products independent of where their operands lie and of the threads; its other calls come later.

    Without it a resumed training can differ in the last bit. Products were not slower for it.
    """
    if not hasattr(library, "MKL_CBWR_Set"):
        return None
    library.MKL_CBWR_Set(ctypes.c_int(_CBWR_AUTO | _CBWR_STRICT))
    return int(library.MKL_CBWR_Get_Auto_Branch())


def _set_threads(library: ctypes.CDLL) -> int | None:
    if os.environ.get("OMP_NUM_THREADS") or os.environ.get("MKL_NUM_THREADS"):
        return None
    threads = physical_cores()
    for symbol in _SET_THREADS:
        if hasattr(library, symbol):
            getattr(library, symbol)(ctypes.c_int(threads))
            return threads
    return None


def physical_cores() -> int:
    """Physical cores that this process may use; hyperthreads only slow matrix products."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    return cores


def _candidates() -> Iterator[tuple[str, Path, str]]:
    for path in _mkl_files():
        yield "mkl", path, "the mkl wheel"
    yield "openblas", Path("libopenblas.so.0"), "the system"


def _mkl_files() -> list[Path]:
    found = [path for path in (Path(sys.prefix) / "lib").glob("libmkl_rt.so*") if path.is_file()]
    try:
        files = importlib.metadata.distribution("mkl").files or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    found += [Path(str(file.locate())).resolve() for file in files if file.name.startswith("libmkl_rt.so")]
    return sorted({path for path in found if path.is_file()})
