"""The prompt core's KV cache on disk, so that a new process does not read the core again.

One safetensors file for each (weights, adapter, core tokens, dtypes, versions), written whole or not at all.
A cache is never a reason to fail: whatever goes wrong is logged, and the core is read by the model once more.
"""

import hashlib
import json
import logging
import os
import time
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import mlx.core as mx

_log = logging.getLogger(__name__)

# Raised when the layout of the file changes; part of each key.
_FORMAT = "1"
_MAX_FILES = 8
_MAX_BYTES = 1 << 30
_STALE_S = 3600.0

Layers = list[tuple["mx.array", "mx.array"]]


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens both lists begin with."""
    n = min(len(a), len(b))
    if a[:n] == b[:n]:
        return n
    return next(i for i in range(n) if a[i] != b[i])


def fingerprint(folder: Path | None) -> str:
    """Changes when a model or adapter folder changes: path, size and time of its weights, text of its
    configs.

    Reads no weights: hashing gigabytes would cost more than the cache saves. Empty for None.
    """
    if folder is None:
        return ""
    digest = hashlib.sha256(str(folder.resolve()).encode())
    for file in sorted(folder.glob("*.safetensors")):
        stat = file.stat()
        digest.update(f"{file.name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    for file in sorted(folder.glob("*config.json")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


class PrefixStore:
    """Files of KV caches in `folder`, under the identity of one model as it runs here.

    Keeps at most `max_files` files of `max_bytes` together; the one used longest ago goes first.
    """

    def __init__(
        self,
        folder: Path,
        identity: Iterable[str],
        *,
        max_files: int = _MAX_FILES,
        max_bytes: int = _MAX_BYTES,
    ) -> None:
        self.folder = folder
        self._identity = [_FORMAT, *identity]
        self._max_files = max_files
        self._max_bytes = max_bytes

    def path(self, tokens: Sequence[int]) -> Path:
        """The file for these tokens, whether it exists or not."""
        key = json.dumps([self._identity, list(tokens)], ensure_ascii=True)
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.safetensors"

    def load(self, tokens: Sequence[int], layers: int) -> Layers | None:
        """Keys and values of each layer, or None; a damaged file is deleted. Engine thread only."""
        path = self.path(tokens)
        if not path.is_file():
            return None
        try:
            state = _read(path, tokens, layers)
        except Exception as error:  # mlx raises RuntimeError, ValueError and OSError for bad files.
            _log.warning("prefix cache %s is damaged, it is built again: %s", path.name, error)
            _delete(path)
            return None
        try:
            os.utime(path)
        except OSError as error:
            _log.info("prefix cache %s: %s", path.name, error)
        return state

    def save(self, tokens: Sequence[int], state: Layers) -> bool:
        """Write the file for `tokens`; False if it could not be or is too large. Engine thread only."""
        import mlx.core as mx

        size = sum(a.nbytes for pair in state for a in pair)
        if size > self._max_bytes:
            return False
        path = self.path(tokens)
        # mlx appends .safetensors to a name without it.
        part = path.with_name(f".{path.stem}.{os.getpid()}.safetensors")
        try:
            arrays = {f"{kind}.{i}": a for i, pair in enumerate(state) for kind, a in zip("kv", pair, strict=True)}
            metadata = {"count": str(len(tokens)), "layers": str(len(state)), "crc": str(_checksum(arrays))}
            self.folder.mkdir(parents=True, exist_ok=True)
            mx.save_safetensors(str(part), arrays, metadata)
            part.replace(path)
        except Exception as error:  # A full disk is a RuntimeError from mlx, an OSError from Python.
            _log.info("prefix cache %s is not written: %s", path.name, error)
            _delete(part)
            return False
        self._prune(keep=path)
        return True

    def _prune(self, keep: Path) -> None:
        try:
            now = time.time()
            found = [(file.stat().st_mtime, file.stat().st_size, file) for file in self.folder.glob("*.safetensors")]
            total, count = 0, 0
            for mtime, size, file in sorted(found, key=lambda entry: (entry[2] != keep, -entry[0])):
                if file.name.startswith("."):
                    # Left by a process that was killed while it wrote.
                    if now - mtime > _STALE_S:
                        _delete(file)
                    continue
                total, count = total + size, count + 1
                if count > self._max_files or total > self._max_bytes:
                    _delete(file)
        except OSError as error:
            _log.info("prefix cache %s: %s", self.folder, error)


def _read(path: Path, tokens: Sequence[int], layers: int) -> Layers:
    import mlx.core as mx

    loaded: Any = mx.load(str(path), return_metadata=True)
    arrays, metadata = loaded
    state = [(arrays[f"k.{i}"], arrays[f"v.{i}"]) for i in range(layers)]
    if metadata["count"] != str(len(tokens)) or metadata["layers"] != str(layers) or len(arrays) != 2 * layers:
        raise ValueError("it holds another prefix")
    for pair in state:
        if any(a.ndim != 4 or a.shape[2] != len(tokens) for a in pair):
            raise ValueError("an array has a wrong shape")
    # mx.load is lazy: the checksum also reads everything now, while errors are expected.
    if metadata["crc"] != str(_checksum(arrays)):
        raise ValueError("the checksum does not match")
    return state


def _checksum(arrays: "dict[str, mx.array]") -> int:
    import mlx.core as mx

    crc = 0
    for name in sorted(arrays):
        # As bytes: Python has no buffer format for bfloat16.
        view = memoryview(mx.contiguous(arrays[name]).view(mx.uint8))  # ty: ignore[invalid-argument-type]
        crc = zlib.crc32(view, zlib.crc32(name.encode(), crc))
    return crc


def _delete(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        _log.info("%s cannot be deleted: %s", path, error)
