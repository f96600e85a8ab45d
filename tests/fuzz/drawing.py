"""Choices and texts read from bytes: a fuzzer changes bytes, and a small change of them is a small change here."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Reads choices from `data`; when it is used up, each choice is the first one."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        """How many bytes have not been used."""
        return len(self._data) - self._at

    def below(self, count: int) -> int:
        """A number from 0 to `count` - 1; one byte, or two for more than 256."""
        size = 1 if count <= 256 else 2
        part = self._data[self._at : self._at + size]
        self._at = min(self._at + size, len(self._data))
        return int.from_bytes(part, "big") % count

    def pick(self, values: Sequence[T]) -> T:
        """One of them."""
        return values[self.below(len(values))]

    def rest(self) -> bytes:
        """All that is left."""
        part, self._at = self._data[self._at :], len(self._data)
        return part

    def words(self, values: Sequence[str], most: int) -> str:
        """Up to `most` of the words, one after the other; now and then a character of its own."""
        found = []
        for _ in range(self.below(most + 1)):
            if not self.left:
                break
            word = self.below(len(values) + 1)
            found.append(values[word] if word < len(values) else chr(self.below(0x2100)))
        return "".join(found)
