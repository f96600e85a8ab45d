"""What a program's attributes, attribute writes, formats and class statements go through at run time.

Covered: what can be read and written of an object, by any way that Python code has.
Not covered: sizes (sizes.py), names (scope.py), modules (facades.py); time, memory and output (worker.py, kernel.py).
"""

import builtins
import difflib
import types
import weakref
from collections.abc import Callable
from string import Formatter
from typing import Any

from RestrictedPython.transformer import INSPECT_ATTRIBUTES

FILENAME = "<program>"


class PolicyError(Exception):
    """What the policy refuses; the message says what to use instead."""


# Never read, written, or used as a name: frames, code and tracebacks lead out of the sandbox.
DENIED = frozenset(INSPECT_ATTRIBUTES) | frozenset([
    "mro", "with_traceback", "func_globals", "func_code", "func_closure", "func_defaults", "im_func",
    "im_self", "im_class", "gi_state", "gi_running", "cr_state", "cr_running", "ag_state", "ag_running", "tb_lasti",
    "tb_lineno", "f_lasti", "f_lineno", "f_trace_lines", "f_trace_opcodes", "co_consts", "co_names", "co_varnames",
    "co_freevars", "co_cellvars",
])  # fmt: skip
# Methods that a class of a program may define: the operators, and what syntax calls.
MAGIC = frozenset(f"__{name}__" for name in [
    "init", "post_init", "repr", "str", "format", "bytes", "bool", "hash", "eq", "ne", "lt", "le", "gt", "ge", "len",
    "iter", "next", "contains", "getitem", "setitem", "delitem", "missing", "reversed", "call", "enter", "exit", "add",
    "radd", "iadd", "sub", "rsub", "isub", "mul", "rmul", "imul", "truediv", "rtruediv", "floordiv", "rfloordiv", "mod",
    "rmod", "pow", "rpow", "and", "rand", "or", "ror", "xor", "rxor", "lshift", "rshift", "neg", "pos", "abs", "invert",
    "int", "float", "index", "round",
])  # fmt: skip
# Dunders that may be read; the guard answers them itself.
READABLE = frozenset({
    "__name__", "__qualname__", "__doc__", "__class__", "__dict__", "__members__", "__cause__", "__context__",
})  # fmt: skip
_TUPLE_NAMES = frozenset({"_asdict", "_replace", "_fields", "_make"})
_NEVER = (types.ModuleType, types.FrameType, types.CodeType, types.TracebackType)
_RAW_FORMATS = (str.format, str.format_map)

made: "weakref.WeakSet[type]" = weakref.WeakSet()
"""Classes that programs made: their attributes may be written, and their single-underscore names read."""
bases: set[type] = {PolicyError}
"""Classes of the library that a program's may derive from. Of others the library expects what only it should say:
a dataclass takes the name of a field for code."""


def _refused(name: str) -> PolicyError:
    return PolicyError(f"the attribute '{name}' is not available in the sandbox")


# Reading


def getattr_guard(owner: Any, name: Any, *default: Any) -> Any:
    """`owner.name`. Raises PolicyError for what is out of reach, AttributeError with a near name for what is not."""
    if type(name) is not str:
        raise TypeError("attribute name must be a string")
    if name in DENIED or (name == "obj" and _is_a(owner, BaseException)):
        raise _refused(name)
    if name.startswith("_"):
        return _underscore(owner, name, default)
    if issubclass(type(owner), types.GenericAlias):  # list[int] passes on what is asked of it
        raise AttributeError(f"'{owner!r}' has no attribute '{name}' in the sandbox")
    try:
        value = getattr(owner, name, *default)
    except AttributeError as problem:
        raise AttributeError(_explain(owner, name, problem)) from None
    return _harmless(value, name)


def _harmless(value: Any, name: str) -> Any:
    """The value, whichever object it was found through. Raises PolicyError for what no program may hold."""
    if isinstance(value, _NEVER) or value is type:
        raise _refused(name)
    if type(value) is types.MethodDescriptorType and value in _RAW_FORMATS:
        return _formatter(None, name)
    if (
        type(value) is types.BuiltinMethodType
        and value.__name__ in ("format", "format_map")
        and isinstance(value.__self__, str)
    ):
        return _formatter(value.__self__, value.__name__)
    return value


def _underscore(owner: Any, name: str, default: tuple[Any, ...]) -> Any:
    if name in READABLE:
        found, value = _readable(owner, name)
        if found:
            return value
    elif _may_read(owner, name):
        return _harmless(getattr(owner, name), name)
    if default:
        return default[0]
    if name.startswith("__"):
        raise _refused(name)
    raise AttributeError(f"'{_name_of(owner)}' object has no attribute '{name}'")


def _readable(owner: Any, name: str) -> tuple[bool, Any]:
    if name == "__class__":
        return True, type_of(owner)
    if name == "__dict__":
        return type(owner) in made, _fields(owner)
    value = getattr(owner, name, None)
    if name == "__members__":
        return isinstance(value, types.MappingProxyType), value
    if name in ("__cause__", "__context__"):
        return isinstance(owner, BaseException), value
    return type(value) is str or (name == "__doc__" and value is None), value


def _fields(owner: Any) -> dict[str, Any]:
    """A copy of an instance's `__dict__`, without what no program may hold."""
    try:
        found = object.__getattribute__(owner, "__dict__")
    except AttributeError:
        return {}
    return {name: value for name, value in found.items() if not isinstance(value, _NEVER)}


def _may_read(owner: Any, name: str) -> bool:
    if _own(owner, name):
        return True
    if name in _TUPLE_NAMES:
        return _is_a(owner, tuple)
    if name not in MAGIC:
        return False
    if isinstance(owner, type):  # dict.__init__(self), but not the class of a record or a façade
        return owner.__module__ == "builtins" and any(name in vars(base) for base in owner.__mro__)
    return name != "__init__"


def _own(owner: Any, name: str) -> bool:
    """Whether a program put `name` there: in an instance, a function, or a class that it made."""
    if is_program_function(owner):
        return name in vars(owner) and not name.startswith("__")
    cls = owner if isinstance(owner, type) else type(owner)
    if cls not in made:
        return False
    if not isinstance(owner, type) and not name.endswith("__") and name in _fields(owner):
        return True
    return any(name in vars(base) for base in cls.__mro__ if base in made) and (
        not name.startswith("__") or name in MAGIC
    )


def is_program_function(value: Any) -> bool:
    """Whether a program defined this function."""
    return isinstance(value, types.FunctionType) and value.__code__.co_filename == FILENAME


def _name_of(owner: Any) -> str:
    if hasattr(type(owner), "_title"):
        return str(owner._title)
    return owner.__name__ if isinstance(owner, type) else type(owner).__name__


def _explain(owner: Any, name: str, problem: AttributeError) -> str:
    text = str(problem)
    # Façades and records list what they have.
    if hasattr(type(owner), "_title") or "did you mean" in text:
        return text
    names = [n for n in dir(owner) if not n.startswith("_")]
    near = difflib.get_close_matches(name, names, 1)
    return f"{text}; did you mean '{near[0]}'?" if near else text


def _is_a(value: Any, of: type) -> bool:
    return isinstance(value, of) or (isinstance(value, type) and issubclass(value, of))


def super_guard(owner: Any, name: str) -> Any:
    """`super().name` and `super(cls, self).name`, where operators and `__init__` are allowed."""
    if isinstance(owner, super) and name in MAGIC:
        return getattr(owner, name)
    return getattr_guard(owner, name)


def get_attribute(owner: Any, name: Any, *default: Any) -> Any:
    """The builtin `getattr`."""
    if len(default) > 1:
        raise TypeError("getattr takes two or three arguments")
    return getattr_guard(owner, name, *default)


def has_attribute(owner: Any, name: Any) -> bool:
    """The builtin `hasattr`: False too for what the policy hides."""
    try:
        getattr_guard(owner, name)
    except (AttributeError, PolicyError):
        return False
    return True


def instance_fields(owner: Any) -> dict[str, Any]:
    """The builtin `vars`, of instances of a program's own classes: a copy."""
    if type(owner) not in made:
        raise TypeError("vars() is available for instances of your own classes only")
    return _fields(owner)


# Writing


class _ReadOnly:
    """Stands in for an object that a program may not change."""

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        object.__setattr__(self, "_what", what)

    def __setattr__(self, name: str, value: Any) -> None:
        self._refuse(name, "set")

    def __delattr__(self, name: str) -> None:
        self._refuse(name, "deleted")

    def _refuse(self, name: str, verb: str) -> None:
        raise TypeError(f"'{self._what}' is read-only; its '{name}' cannot be {verb}")


def write_guard(owner: Any) -> Any:
    """What an attribute is set on: the object itself if a program made it or its class."""
    if type(owner) in made or (isinstance(owner, type) and owner in made) or is_program_function(owner):
        return owner
    return _ReadOnly(_name_of(owner))


def _check_settable(name: Any) -> None:
    if type(name) is not str:
        raise TypeError("attribute name must be a string")
    reserved = name.startswith("__") or (name.startswith("_") and name.endswith("_") and name != "_")
    if name in DENIED or reserved:
        raise PolicyError(f"the attribute '{name}' cannot be set in the sandbox")


def set_attribute(owner: Any, name: Any, value: Any) -> None:
    """The builtin `setattr`."""
    _check_settable(name)
    setattr(write_guard(owner), name, value)


def delete_attribute(owner: Any, name: Any) -> None:
    """The builtin `delattr`."""
    _check_settable(name)
    delattr(write_guard(owner), name)


# Types


def type_of(value: Any) -> Any:
    """The builtin `type`, with one argument; of a class, this function: the real `type` would make classes at will."""
    return type_of if isinstance(value, type) else type(value)


type_of.__name__ = type_of.__qualname__ = "type"


def is_instance(value: Any, classes: Any) -> bool:
    """The builtin `isinstance`; `type` stands for the real one."""
    if classes is type_of:
        return isinstance(value, type)
    if isinstance(classes, tuple):
        return any(is_instance(value, c) for c in classes)
    return isinstance(value, classes)


def build_class(function: Any, name: str, *parents: Any) -> type:
    """The builtin behind `class`: refuses metaclasses and classes not meant as bases; remembers what was made."""
    for base in types.resolve_bases(parents):
        if base is type_of or (isinstance(base, type) and issubclass(base, type)):
            raise PolicyError("metaclasses are not available in the sandbox")
        if isinstance(base, type) and not _may_derive(base):
            raise PolicyError(f"a class cannot derive from '{base.__name__}' in the sandbox")
    cls = builtins.__build_class__(function, name, *parents)
    if isinstance(cls, type):
        if issubclass(cls, type):
            raise PolicyError("metaclasses are not available in the sandbox")
        made.add(cls)
    return cls


def _may_derive(base: type) -> bool:
    # No program can set __module__: a class that says __sandbox__ was made by one, or for one by namedtuple.
    return base in made or base in bases or base.__module__ in ("builtins", "__sandbox__")


# Formats


class _SafeFormatter(Formatter):
    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        if "." in field_name or "[" in field_name:
            raise PolicyError(f"'{{{field_name}}}' is not available in format(); use an f-string")
        return super().get_field(field_name, args, kwargs)


def _formatter(owner: str | None, name: str) -> Callable[..., str]:
    """`str.format` or `str.format_map`, bound to `owner` if there is one."""

    def format_text(*args: Any, **kwargs: Any) -> str:
        text, rest = (args[0], args[1:]) if owner is None else (owner, args)
        return _SafeFormatter().vformat(str.__str__(text), rest, kwargs)

    def format_map(*args: Any) -> str:
        text, mapping = args if owner is None else (owner, *args)
        return _SafeFormatter().vformat(str.__str__(text), (), mapping)

    return format_text if name == "format" else format_map
