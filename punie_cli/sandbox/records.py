"""Values on their way between a program and the builtins: JSON outside, read-only records inside."""

from functools import lru_cache
from pathlib import PurePath
from typing import Any

MAX_DEPTH = 20


class Record:
    """A result of a builtin: fields as attributes or items, read-only; prints as the text that the builtin gave it."""

    __slots__ = ("_blocked", "_fields", "_text")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # A program gets this class by type(result): what it makes up must not look like what a builtin said.
        raise TypeError(f"a {self._title} comes from a builtin only")

    @property
    def _title(self) -> str:
        return type(self).__name__

    def __getattr__(self, name: str) -> Any:
        if name in self._blocked:
            raise RuntimeError(self._blocked[name])
        if name not in self._fields:
            raise AttributeError(f"{self._title} has no field '{name}'; it has: {', '.join(self._fields)}")
        return self._fields[name]

    def __getitem__(self, name: str) -> Any:
        try:
            return self.__getattr__(name)
        except AttributeError as problem:
            raise KeyError(str(problem)) from None

    __iter__ = None  # with __getitem__ alone, Python would try 0, 1, 2 …

    def __setattr__(self, name: str, value: Any) -> None:
        raise TypeError(f"'{self._title}' is read-only; its '{name}' cannot be set")

    def __copy__(self) -> "Record":
        return self

    def __deepcopy__(self, memo: Any) -> "Record":
        return self

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and (self._fields, self._blocked) == (other._fields, other._blocked)

    __hash__ = None

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return self._text

    def __format__(self, spec: str) -> str:
        return format(self._text, spec)


@lru_cache
def _record_class(name: str) -> type[Record]:
    """A class of its own for each kind of result: Python names it in its messages."""
    return type(name, (Record,), {"__slots__": ()})


def _record(name: str, fields: dict[str, Any], text: str, blocked: dict[str, str]) -> Record:
    record = object.__new__(_record_class(name))
    for slot, value in (("_fields", fields), ("_text", text), ("_blocked", blocked)):
        object.__setattr__(record, slot, value)
    return record


def decode(value: Any) -> Any:
    """A wire value as a program sees it."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if isinstance(value, dict):
        if "$record" in value:
            fields = {name: decode(item) for name, item in value["fields"].items()}
            return _record(value["$record"], fields, value["text"], value.get("blocked") or {})
        return {decode(key): decode(item) for key, item in value.get("$dict", [])}
    return value


def encode(value: Any, depth: int = 0) -> Any:
    """An argument as plain JSON. Raises TypeError for what no builtin takes.

    The methods of the plain types are called by name: a subclass may say of itself what it likes.
    """
    if depth > MAX_DEPTH:
        raise TypeError(f"an argument is nested more than {MAX_DEPTH} levels deep")
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, PurePath):
        value = str(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__index__(value)
    if isinstance(value, list):
        return [encode(item, depth + 1) for item in list.__iter__(value)]
    if isinstance(value, tuple):
        return [encode(item, depth + 1) for item in tuple.__iter__(value)]
    if isinstance(value, dict):
        return {_key(key): encode(item, depth + 1) for key, item in dict.items(value)}
    raise TypeError(f"a builtin takes text, numbers, lists and dicts, not {type(value).__name__}")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"keys of a dict must be text, not {type(key).__name__}")
    return str.__str__(key)
