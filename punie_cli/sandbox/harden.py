"""Done once in the zygote: what later needs an import is imported, and what leads out is removed from the library."""

import abc
import builtins
import copy
import encodings.ascii
import encodings.cp1252
import encodings.latin_1
import encodings.utf_8_sig
import encodings.utf_16
import encodings.utf_32  # noqa: F401  (codecs are imported when they are first used)
import enum
import importlib
import sys
import time
import types
import unicodedata  # noqa: F401  (non-ASCII identifiers need it)
import warnings
from collections.abc import Callable
from typing import Any

from punie_cli.sandbox.guards import PolicyError, set_attribute

# All that the functions need which @dataclass generates.
_FOR_DATACLASSES = ("NotImplemented", "hash", "object", "super", "type")


def harden() -> None:
    """Change this process for good; never called in the parent."""
    importlib.import_module("_strptime")  # datetime.strptime asks for it
    warnings.simplefilter("ignore")  # showing one would read files
    time.tzset()
    # @dataclass generates code against the module that a class says it is from.
    module = types.ModuleType("__sandbox__")
    module.__dict__["__builtins__"] = {name: getattr(builtins, name) for name in _FOR_DATACLASSES}
    sys.modules["__sandbox__"] = module
    # It would make an object an instance of a class whose fields have names that are refused as attributes.
    del abc.ABCMeta.register
    kind: Any = enum.EnumType
    kind._create_ = _checked_create(kind._create_)
    # A copy calls what the object says and sets what that returns, on any object.
    copier: Any = copy
    copier._reconstruct = _checked_reconstruct(copier._reconstruct)
    copier.setattr = set_attribute


def _checked_create(create: Callable[..., Any]) -> Callable[..., Any]:
    """`Enum("Name", members)` with members that are names: it would take any dunder, and any module."""

    def checked(cls: Any, class_name: Any, names: Any, **options: Any) -> Any:
        given = sorted(key for key, value in options.items() if value is not None and key != "start")
        if given or type(class_name) is not str:
            raise PolicyError("Enum(name, members) takes no other arguments here; write a class statement")
        if isinstance(names, str):
            names = str.__str__(names).replace(",", " ").split()
        members = [_member(m) for m in (names.items() if isinstance(names, dict) else names)]
        return create(cls, class_name, members, **options)

    return checked


def _checked_reconstruct(reconstruct: Callable[..., Any]) -> Callable[..., Any]:
    """Copies of objects whose methods of copying are those of their class, which no program writes."""

    def checked(value: Any, *args: Any, **options: Any) -> Any:
        if any(name.startswith("__") for name in getattr(value, "__dict__", ())):
            raise PolicyError(f"an object of class '{type(value).__name__}' cannot be copied in the sandbox")
        return reconstruct(value, *args, **options)

    return checked


def _member(member: Any) -> Any:
    """A name, or a name and a value, as it was when it was looked at."""
    name, *value = (member,) if isinstance(member, str) else member
    if type(name) is not str or name.startswith("_") or not name.isidentifier():
        raise PolicyError(f"the member name '{name}' is not available in the sandbox")
    return (name, *value) if value else name
