"""Reads the GGUF container: metadata, and tensors as float32 with the exact values that the format defines.

Covered: versions 2 and 3, little-endian; F32, F16, BF16, Q4_0, Q4_1, Q8_0. Other types raise UsageError.
"""

import math
import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from punie_cli.errors import MissingError, UsageError

_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_STRING, _ARRAY = 8, 9


def _q4_nibbles(packed: np.ndarray) -> np.ndarray:
    # The low halves of 16 bytes are values 0 to 15 of a block, the high halves are values 16 to 31.
    return np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32)


def _f32(raw: np.ndarray) -> np.ndarray:
    return raw.view("<f4").astype(np.float32)


def _f16(raw: np.ndarray) -> np.ndarray:
    return raw.view("<f2").astype(np.float32)


def _bf16(raw: np.ndarray) -> np.ndarray:
    return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)


def _q4_0(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 18)
    return _f16(blocks[:, :2].copy()) * (_q4_nibbles(blocks[:, 2:]) - 8)


def _q4_1(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 20)
    return _f16(blocks[:, :2].copy()) * _q4_nibbles(blocks[:, 4:]) + _f16(blocks[:, 2:4].copy())


def _q8_0(raw: np.ndarray) -> np.ndarray:
    blocks = raw.reshape(-1, 34)
    return _f16(blocks[:, :2].copy()) * blocks[:, 2:].copy().view(np.int8).astype(np.float32)


@dataclass(frozen=True)
class _Kind:
    name: str
    values: int
    size: int
    decode: Callable[[np.ndarray], np.ndarray]


_KINDS = {
    0: _Kind("F32", 1, 4, _f32),
    1: _Kind("F16", 1, 2, _f16),
    2: _Kind("Q4_0", 32, 18, _q4_0),
    3: _Kind("Q4_1", 32, 20, _q4_1),
    8: _Kind("Q8_0", 32, 34, _q8_0),
    30: _Kind("BF16", 1, 2, _bf16),
}


@dataclass(frozen=True)
class _Tensor:
    shape: tuple[int, ...]
    kind: int
    offset: int


class GgufFile:
    """A GGUF file, memory-mapped. Raises MissingError when it is not GGUF or is cut short."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise MissingError(f"{path} cannot be read: {error}") from error
        self._at = 0
        self.metadata: dict[str, Any] = {}
        self._tensors: dict[str, _Tensor] = {}
        try:
            self._read_header()
        except (struct.error, ValueError, TypeError, ArithmeticError, RecursionError) as error:
            raise MissingError(f"{path} is damaged or cut short: {error}") from error

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tensors, in the order of the file."""
        return tuple(self._tensors)

    def kind(self, name: str) -> str:
        """The storage type of a tensor, such as Q4_1."""
        return self._kind(name).name

    def array(self, name: str) -> np.ndarray:
        """One tensor as float32, rows first (GGUF writes the fastest dimension first)."""
        tensor, kind = self._tensors[name], self._kind(name)
        count = math.prod(tensor.shape)
        size = count // kind.values * kind.size
        start = self._data + tensor.offset
        if count % kind.values or start + size > len(self._map):
            raise MissingError(f"{self.path} is damaged or cut short: tensor {name}")
        raw = np.frombuffer(self._map, np.uint8, size, start)
        return kind.decode(raw).reshape(tensor.shape[::-1])

    def _kind(self, name: str) -> _Kind:
        kind = self._tensors[name].kind
        if kind not in _KINDS:
            known = ", ".join(k.name for k in _KINDS.values())
            raise UsageError(f"tensor {name} has GGUF type {kind}; can read: {known}")
        return _KINDS[kind]

    def _read_header(self) -> None:
        if self._take(4) != b"GGUF":
            raise ValueError("no GGUF mark at its start")
        version = self._number("<I")
        if version not in (2, 3):
            raise UsageError(f"{self.path} is GGUF version {version}; can read: 2, 3")
        tensors, entries = self._number("<Q"), self._number("<Q")
        for _ in range(entries):
            key = self._string()
            self.metadata[key] = self._value(self._number("<I"))
        for _ in range(tensors):
            name = self._string()
            shape = tuple(self._number("<Q") for _ in range(self._number("<I")))
            self._tensors[name] = _Tensor(shape, self._number("<I"), self._number("<Q"))
        alignment = self.metadata.get("general.alignment", 32)
        self._data = -(-self._at // alignment) * alignment

    def _take(self, size: int) -> bytes:
        if self._at + size > len(self._map):
            raise ValueError(f"{size} bytes wanted at {self._at}, the file has {len(self._map)}")
        self._at += size
        return self._map[self._at - size : self._at]

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _string(self) -> str:
        return self._take(self._number("<Q")).decode()

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY:
            item, count = self._number("<I"), self._number("<Q")
            return [self._value(item) for _ in range(count)]
        if kind not in _SCALARS:
            raise ValueError(f"metadata type {kind}")
        return self._number(_SCALARS[kind])
