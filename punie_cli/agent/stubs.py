"""The builtins as a type checker reads them: a `__builtins__.pyi`, made from the registry.

Types are what the sandbox takes, not what a builtin declares: tuples become lists and paths text on their way out.
"""

import types
from inspect import Parameter
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from punie_cli.builtins.registry import Registry, item_model

_HEAD = """\
import json as json
from collections.abc import Sequence as _Sequence
from pathlib import PurePath as _PurePath
from typing import Any as _Any

class PolicyError(Exception): ...
"""
_PLAIN = (str, int, float, bool)


def stub_text(registry: Registry) -> str:
    """Names that programs have beyond Python's own: results, builtins, `json`, `PolicyError`."""
    parts = [_HEAD]
    for name, fields in result_classes(registry).items():
        lines = [f"    {field}: {_returned(annotation)}" for field, annotation in fields.items()]
        parts.append("\n".join([f"class {name}:", *lines, "    def __getitem__(self, name: str) -> _Any: ...\n"]))
    for name in registry.names:
        declared = registry[name]
        shown = ", ".join(
            f"{p.name}: {_taken(p.annotation)}{'' if p.default is Parameter.empty else ' = ...'}"
            for p in declared.parameters
        )
        parts.append(f"def {name}({shown}) -> {_returned(declared.returns)}: ...\n")
    return "\n".join(parts)


def result_classes(registry: Registry) -> dict[str, dict[str, Any]]:
    """The fields of each result and of the items in it, by the name of their class, with their annotations."""
    found: dict[str, dict[str, Any]] = {}
    waiting: list[Any] = [registry[name].returns for name in registry.names]
    while waiting:
        model = waiting.pop()
        if isinstance(model, type) and issubclass(model, BaseModel) and model.__name__ not in found:
            fields = {name: field.annotation for name, field in model.model_fields.items()}
            found[model.__name__] = fields
            for annotation in fields.values():
                waiting += [item_model(annotation) or annotation]
    return found


def taken_kinds(annotation: Any) -> set[str] | None:
    """Names of the types that a parameter takes at run time; None where that is not known."""
    if annotation in (None, types.NoneType):
        return {"NoneType"}
    if annotation is float:
        return {"float", "int"}
    if annotation in (str, int, bool):
        return {annotation.__name__}
    if get_origin(annotation) is list:
        return {"list"}
    if get_origin(annotation) in (types.UnionType, Union):
        kinds = [taken_kinds(one) for one in get_args(annotation)]
        return None if None in kinds else {kind for one in kinds for kind in one or ()}
    return None


def _taken(annotation: Any) -> str:
    if annotation is str:
        return "str | _PurePath"
    if annotation in _PLAIN:
        return annotation.__name__
    if annotation in (None, types.NoneType):
        return "None"
    if get_origin(annotation) is list:
        return f"_Sequence[{_taken(get_args(annotation)[0])}]"
    if get_origin(annotation) in (types.UnionType, Union):
        return " | ".join(map(_taken, get_args(annotation)))
    return "_Any"


def _returned(annotation: Any) -> str:
    if annotation in (None, types.NoneType):
        return "None"
    if annotation in _PLAIN or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return annotation.__name__
    if get_origin(annotation) is list:
        return f"list[{_returned(get_args(annotation)[0])}]"
    if get_origin(annotation) in (types.UnionType, Union):
        return " | ".join(map(_returned, get_args(annotation)))
    if get_origin(annotation) is Literal and all(isinstance(value, str) for value in get_args(annotation)):
        # Not the words themselves: a comparison with another one is no reason to call code unreachable.
        return "str"
    return "_Any"
