"""The names that a program finds without import."""

import builtins
from collections.abc import Callable
from typing import Any

from punie_cli.sandbox import guards, sizes

# Using one of these raises PolicyError with a way out.
REFUSED = {
    "open": "use read_file(path) or write_file(path, text)",
    "input": "nobody can be asked while a program runs; end with the question as your answer",
    "eval": "write the expression itself, or use json.loads",
    "exec": "write the statements themselves",
    "compile": "write the statements themselves",
    "globals": "use names directly",
    "locals": "use names directly",
    "dir": "use the attributes by name",
    "help": "results name their fields when one is wrong",
    "breakpoint": "use print()",
    "memoryview": "use bytes",
}
PLAIN = [
    "None", "False", "True", "Ellipsis", "NotImplemented", "abs", "all", "any", "ascii", "bin", "bool", "bytearray",
    "bytes", "callable", "chr", "classmethod", "complex", "dict", "divmod", "enumerate", "filter", "float", "format",
    "frozenset", "hash", "hex", "id", "int", "issubclass", "iter", "len", "list", "map", "max", "min", "next", "object",
    "oct", "ord", "property", "range", "repr", "reversed", "round", "set", "slice", "sorted", "staticmethod", "str",
    "sum", "super", "tuple", "zip",
]  # fmt: skip
_NO_GROUPS = ("ExceptionGroup", "BaseExceptionGroup")


def stop_program(code: Any = None) -> None:
    """`exit`, `quit` and `sys.exit`: end the program."""
    raise SystemExit(code)


GUARDED: dict[str, Callable[..., Any]] = {
    "getattr": guards.get_attribute,
    "hasattr": guards.has_attribute,
    "setattr": guards.set_attribute,
    "delattr": guards.delete_attribute,
    "vars": guards.instance_fields,
    "isinstance": guards.is_instance,
    "type": guards.type_of,
    "pow": sizes.power,
    "exit": stop_program,
    "quit": stop_program,
}


class Refused:
    """A builtin that the sandbox does not have: calling it raises PolicyError with a way out."""

    def __init__(self, name: str, instead: str) -> None:
        self._name, self._instead = name, instead

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise guards.PolicyError(f"{self._name}() is not available in the sandbox; {self._instead}")


def make_scope(printer: Callable[..., None], importer: Callable[..., Any], more: dict[str, Any]) -> dict[str, Any]:
    """The `__builtins__` of a program: plain and guarded ones, guards, exceptions, and `more` (punie's builtins)."""
    names: dict[str, Any] = {name: getattr(builtins, name) for name in PLAIN}
    for name, value in vars(builtins).items():
        if isinstance(value, type) and issubclass(value, BaseException) and name not in _NO_GROUPS:
            names[name] = value
    names |= {name: Refused(name, instead) for name, instead in REFUSED.items()}
    return names | {
        **GUARDED,
        "PolicyError": guards.PolicyError,
        "print": printer,
        "__import__": importer,
        "__build_class__": guards.build_class,
        "_getattr_": guards.getattr_guard,
        "_superattr_": guards.super_guard,
        "_write_": guards.write_guard,
        "_inplacevar_": sizes.inplace,
        "_mul_": sizes.multiply,
        "_pow_": sizes.power,
        "_lshift_": sizes.shift_left,
        "_slice_": slice,
        **more,
    }
