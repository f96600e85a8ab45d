"""What the values of a program may be, as far as results are in them, and what Python's own functions hand on."""

import ast
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


@dataclass(frozen=True)
class Object:
    """A result, or a finding in one of its lists."""

    model: type[BaseModel]


@dataclass(frozen=True)
class Many:
    """A list, set or iterator; what its items may be."""

    items: "Values"


@dataclass(frozen=True)
class Fixed:
    """A tuple whose items are known one by one."""

    items: "tuple[Values, ...]"


@dataclass(frozen=True)
class Map:
    """A dict; what its keys and values may be."""

    keys: "Values"
    values: "Values"


@dataclass(frozen=True)
class Builtin:
    """A function of the registry, and what it returns."""

    name: str
    returns: type


@dataclass(frozen=True, eq=False)
class Function:
    """A lambda or function of the program, with the names that it sees."""

    node: ast.Lambda | ast.FunctionDef
    names: "Names"


Value = Object | Many | Fixed | Map | Builtin | Function
# All that a value may be; nothing where it is of no interest.
Values = frozenset[Value]
Names = dict[str, Values]
Apply = Callable[[Values, Sequence[Values]], Values]
NOTHING: Values = frozenset()


def one(value: Value) -> Values:
    """It is this."""
    return frozenset((value,))


def any_of(values: typing.Iterable[Values]) -> Values:
    """It may be any of these."""
    return NOTHING.union(*values)


def of_type(annotation: Any) -> Values:
    """What a result or a field of this type may be."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return one(Object(annotation))
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) in {types.UnionType, typing.Union}:
        return any_of(map(of_type, arguments))
    return one(Many(of_type(arguments[0]))) if typing.get_origin(annotation) is list else NOTHING


def items(values: Values) -> Values:
    """What a loop over it gives."""
    found: set[Value] = set()
    for value in values:
        if isinstance(value, Many):
            found |= value.items
        elif isinstance(value, Fixed):
            found |= any_of(value.items)
        elif isinstance(value, Map):
            found |= value.keys
    return frozenset(found)


def item(values: Values, index: Any) -> Values:
    """What `values[index]` gives; an index that is not an int may be any."""
    found: set[Value] = set()
    for value in values:
        if isinstance(value, Fixed) and type(index) is int and -len(value.items) <= index < len(value.items):
            found |= value.items[index]
        else:
            found |= value.values if isinstance(value, Map) else items(one(value))
    return frozenset(found)


def maps(values: Values) -> list[Map]:
    """The dicts among it."""
    return [value for value in values if isinstance(value, Map)]


def handed_on(name: str, args: Sequence[Values], keywords: dict[str | None, Values], apply: Apply) -> Values:
    """What a function of Python or its library gives for these arguments; `apply` calls what the program gave it."""
    first, second = [*args, NOTHING, NOTHING][:2]
    key = keywords.get("key", NOTHING)
    match name:
        case "sorted" | "list" | "tuple" | "set" | "frozenset" | "reversed" | "iter" | "islice" | "deque":
            apply(key, [items(first)])
            return one(Many(items(first)))
        case "min" | "max":
            found = items(first) if len(args) == 1 else any_of(args)
            apply(key, [found])
            return found | keywords.get("default", NOTHING)
        case "nlargest" | "nsmallest":
            apply(key, [items(second)])
            return one(Many(items(second)))
        case "next":
            return items(first) | second
        case "filter" | "takewhile" | "dropwhile" | "filterfalse":
            apply(first, [items(second)])
            return one(Many(items(second)))
        case "map":
            return one(Many(apply(first, [items(value) for value in args[1:]])))
        case "reduce":
            start = args[2] if len(args) > 2 else items(second)
            return apply(first, [start, items(second)]) | start
        case "enumerate":
            return one(Many(one(Fixed((NOTHING, items(first))))))
        case "zip" | "zip_longest":
            return one(Many(one(Fixed(tuple(items(value) for value in args)))))
        case "chain":
            return one(Many(any_of(map(items, args))))
        case "from_iterable":
            return one(Many(items(items(first))))
        case "groupby":
            apply(key | second, [items(first)])
            return one(Many(one(Fixed((NOTHING, one(Many(items(first))))))))
        case "dict" | "defaultdict" | "OrderedDict":
            pairs = items(first) | items(second)
            return frozenset([Map(item(pairs, 0), item(pairs, 1)), *maps(first), *maps(second)])
    return NOTHING
