"""Which texts came before, and where: 16 bytes for each place in a table, so that 100,000 rows need 4 MB."""

import hashlib
from array import array

_EMPTY = 0
_FIRST = 1 << 12


def fingerprint(text: str) -> int:
    """8 bytes of BLAKE2b, never 0. Two of 100,000 texts share one with a chance of 3 in 10^10."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1


class Seen:
    """Fingerprints with the number of the entry that brought them first."""

    def __init__(self) -> None:
        self._size = 0
        self._make(_FIRST)

    def __len__(self) -> int:
        return self._size

    def add(self, key: int, value: int) -> int | None:
        """Keep `value` (below 2^63) for a key that is new, and return None; else the value that it has."""
        if self._size * 3 > len(self._keys) * 2:
            self._grow()
        slot = self._find(key)
        if self._keys[slot] != _EMPTY:
            return self._values[slot]
        self._keys[slot], self._values[slot] = key, value
        self._size += 1
        return None

    def get(self, key: int) -> int | None:
        """The value of a key; None for one that was never added."""
        slot = self._find(key)
        return None if self._keys[slot] == _EMPTY else self._values[slot]

    def _make(self, slots: int) -> None:
        self._keys = array("Q", bytes(8 * slots))
        self._values = array("q", bytes(8 * slots))

    def _find(self, key: int) -> int:
        slot = key % len(self._keys)
        while self._keys[slot] not in (_EMPTY, key):
            slot = (slot + 1) % len(self._keys)
        return slot

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        self._make(2 * len(keys))
        for key, value in zip(keys, values, strict=True):
            if key != _EMPTY:
                slot = self._find(key)
                self._keys[slot], self._values[slot] = key, value
