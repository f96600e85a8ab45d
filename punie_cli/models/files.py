"""What a model directory holds: is it complete, how many parameters, which hash. Imports no mlx."""

import hashlib
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from punie_cli import paths
from punie_cli.errors import MissingError, UsageError
from punie_cli.models.building import store_folder, write_json

# A header of a real model has below 1 MB; more means that the length field is not one.
_PART = 1 << 22
_HEADER_LIMIT = 100_000_000
_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tiktoken.model")


@dataclass(frozen=True)
class Weights:
    """Parameters (of quantized layers: as they were before) and bytes of all shards."""

    parameters: int
    size: int

    @property
    def bits(self) -> float:
        """Bits per weight, quantization scales included."""
        return self.size * 8 / max(self.parameters, 1)


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a model directory; raises MissingError when it is absent or not JSON."""
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MissingError(f"{path} is missing", pull_hint(folder)) from error
    except ValueError as error:
        raise MissingError(f"{path} is not JSON: {error}", pull_hint(folder)) from error
    if not isinstance(config, dict) or "model_type" not in config:
        raise MissingError(f"{path} names no model_type", pull_hint(folder))
    return config


def read_record(folder: Path) -> dict[str, Any]:
    """What a pull wrote beside the weights; at least `source`, which is local without a record."""
    try:
        record = json.loads((folder / "punie.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = None
    return {"source": "local", **record} if isinstance(record, dict) else {"source": "local"}


def check_complete(folder: Path) -> Weights:
    """Raise MissingError unless config, tokenizer and all bytes of all shards are there; reads headers only.

    A model that wants to run code of its own raises UsageError.
    """
    if not folder.is_dir():
        raise MissingError(f"no model directory {folder}", pull_hint(folder))
    config = read_config(folder)
    if "model_file" in config:
        raise UsageError(f"{folder} asks for code of its own ({config['model_file']}), which punie never runs")
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise MissingError(f"{folder} has no tokenizer", pull_hint(folder))
    headers = {shard: read_header(shard) for shard in shards(folder)}
    tensors = {name: entry for header in headers.values() for name, entry in header.items()}
    return Weights(_count(tensors, config.get("quantization") or {}), sum(shard.stat().st_size for shard in headers))


def shards(folder: Path) -> list[Path]:
    """The weight files: those of the index, else model*.safetensors; MissingError when one is absent."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError) as error:
            raise MissingError(f"{index} is damaged", pull_hint(folder)) from error
    else:
        names = sorted(path.name for path in folder.glob("model*.safetensors"))
    if not names:
        raise MissingError(f"{folder} has no model*.safetensors", pull_hint(folder))
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        count = f"{len(absent)} of {len(names)} weight files are missing"
        raise MissingError(f"{folder}: {count}: {', '.join(absent[:3])}", pull_hint(folder))
    return [folder / name for name in names]


def read_header(path: Path) -> dict[str, Any]:
    """Tensor entries of a safetensors file; MissingError unless the file is exactly as long as promised."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > _HEADER_LIMIT:
            raise MissingError(f"{path} is not a safetensors file", pull_hint(path.parent))
        raw = file.read(length)
    if len(raw) < length:
        raise MissingError(f"{path} is truncated in its header", pull_hint(path.parent))
    try:
        header = json.loads(raw)
        header.pop("__metadata__", None)
        end = max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise MissingError(f"{path} has a damaged header", pull_hint(path.parent)) from error
    promised = 8 + length + end
    if size < promised:
        amounts = f"{_megabytes(size)} of {_megabytes(promised)} MB"
        raise MissingError(f"{path} is truncated: {amounts}", pull_hint(path.parent))
    if size > promised:
        raise MissingError(f"{path} has {size - promised} bytes too many", pull_hint(path.parent))
    return header


def weight_hash(folder: Path) -> str:
    """SHA-256 over every tensor by name: name, type, shape, bytes.

    The same weights have the same hash however a writer orders or splits them, so that an adapter that was trained
    elsewhere still knows its base. Takes seconds per GB the first time; kept in the cache folder by path, size and
    modification time.
    """
    files = shards(folder)
    state = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]
    side = paths.cache_dir() / "weights" / f"{_key(folder)}.json"
    try:
        kept = json.loads(side.read_text(encoding="utf-8"))
        if kept["files"] == state:
            return kept["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    digest = hashlib.sha256()
    for name, path, entry, start in sorted(_tensors(files), key=lambda found: found[0]):
        digest.update(f"{name} {entry['dtype']} {entry['shape']}\n".encode())
        _hash_part(digest, path, start + entry["data_offsets"][0], start + entry["data_offsets"][1])
    result = digest.hexdigest()
    write_json(side, {"folder": str(folder.absolute()), "files": state, "sha256": result})
    return result


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder; links count as what they point to."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def pull_hint(folder: Path) -> str:
    """The command that mends a damaged model: the one that made it, or another pull if it is in the store."""
    if made_by := read_record(folder).get("made_by"):
        return f"{made_by} --force"
    if folder.absolute().parent == store_folder():
        return f"punie models pull {folder.name} --force"
    return "punie models list"


def _count(tensors: dict[str, Any], quantization: dict[str, Any]) -> int:
    total, usual = 0, quantization.get("group_size") or 64
    for name, entry in tensors.items():
        stem, _, leaf = name.rpartition(".")
        scales = tensors.get(f"{stem}.scales")
        if scales is None:
            total += math.prod(entry["shape"])
        elif leaf == "weight":
            # One scale for each group of packed weights; a layer may have its own group size.
            own = quantization.get(stem)
            group = own.get("group_size") if isinstance(own, dict) else None
            total += math.prod(scales["shape"]) * (group or usual)
        elif leaf == "bias":
            total += math.prod(entry["shape"])
    return total


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.0f}" if size >= 10_000_000 else f"{size / 1e6:.2f}"


def _tensors(files: list[Path]) -> Iterator[tuple[str, Path, dict[str, Any], int]]:
    """Name, file, header entry and where the file's data begins, of each tensor."""
    for path in files:
        with path.open("rb") as file:
            start = 8 + int.from_bytes(file.read(8), "little")
        for name, entry in read_header(path).items():
            yield name, path, entry, start


def _hash_part(digest: Any, path: Path, begin: int, end: int) -> None:
    with path.open("rb") as file:
        file.seek(begin)
        while begin < end and (part := file.read(min(end - begin, _PART))):
            digest.update(part)
            begin += len(part)


def _key(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:24]
