"""`typing` for programs: names that can be written and do nothing.

The real ones evaluate text (ForwardRef, TypeVar bounds), build classes (TypedDict) and answer isinstance (Protocol).
"""

import collections
import collections.abc
import typing
from collections.abc import Callable
from typing import Any


class Inert:
    """A name such as `Optional` or `Generic`: takes subscripts, `|` and calls; as a base class it adds `bases`."""

    def __init__(self, name: str, bases: tuple[type, ...] = ()) -> None:
        self._name, self._bases = name, bases

    def __getitem__(self, item: Any) -> "Inert":
        return self

    def __or__(self, other: Any) -> "Inert":
        return self

    __ror__ = __or__

    def __call__(self, *args: Any, **options: Any) -> "Inert":
        return self

    def __mro_entries__(self, bases: Any) -> tuple[type, ...]:
        return self._bases

    def __repr__(self) -> str:
        return f"typing.{self._name}"


def _same(value: Any) -> Any:
    return value


def _cast(kind: Any, value: Any) -> Any:
    return value


def _new_type(name: str, kind: Any) -> Callable[[Any], Any]:
    return _same


def typing_names() -> dict[str, Any]:
    """What programs can import from `typing`."""
    forms = "Any Optional Union Literal Final ClassVar Annotated TypeVar Generic Protocol NoReturn Self Type TypeAlias"
    abcs = "Callable Iterable Iterator Sequence Mapping MutableMapping Generator Hashable Sized Collection"
    return {
        **{name: Inert(name) for name in forms.split()},
        **{name: getattr(collections.abc, name) for name in abcs.split()},
        **dict.fromkeys(("overload", "final", "override", "runtime_checkable"), _same),
        "TypedDict": Inert("TypedDict", (dict,)),
        "NamedTuple": typing.NamedTuple,
        "List": list,
        "Dict": dict,
        "Set": set,
        "FrozenSet": frozenset,
        "Tuple": tuple,
        "DefaultDict": collections.defaultdict,
        "Counter": collections.Counter,
        "Deque": collections.deque,
        "NewType": _new_type,
        "cast": _cast,
        "TYPE_CHECKING": False,
    }
