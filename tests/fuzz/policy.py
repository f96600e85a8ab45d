"""Programs under the policy: whatever is accepted and runs, no value that leads out of the sandbox is within its reach.

Runs them in this process, with the worker's names and without its locks. A finding is a module, frame, code object or
real builtin that a program holds, the token that only the globals of `canary` have, or a system call.
"""

import re
import resource
import signal
import sys
import types
from contextlib import contextmanager, suppress
from typing import Any

from punie_cli.sandbox.facades import Facade, Importer
from punie_cli.sandbox.guards import PolicyError, made
from punie_cli.sandbox.harden import harden
from punie_cli.sandbox.policy import compile_program
from punie_cli.sandbox.scope import make_scope
from tests import corpora
from tests.fuzz.drawing import Draw

TOKEN = "canary-of-the-fuzzer"
_NEVER = (types.ModuleType, types.FrameType, types.CodeType, types.TracebackType)
_NAMES = ("a", "b", "f", "C", "canary", "json", "re", "enum", "functools", "dataclasses", "collections", "typing", "e")
_BUILTINS = (
    "print", "getattr", "setattr", "hasattr", "vars", "type", "super", "object", "str", "list", "dict", "map", "next",
    "property", "classmethod", "isinstance", "sorted", "format", "id", "eval", "exec", "open", "globals", "dir",
    "Exception", "AttributeError",
)  # fmt: skip
_ATTRIBUTES = (
    "x", "_x", "__x", "name", "value", "obj", "format", "format_map", "args", "__class__", "__dict__", "__init__",
    "__context__", "__cause__", "__call__", "__eq__", "__str__", "__format__", "__members__", "_member_map_", "_fields",
    "_make", "_replace", "_asdict", "__doc__", "__name__", "__qualname__", "fget", "func", "keywords", "cache_info",
    "loads", "dumps", "compile", "sub", "Enum", "partial", "dataclass", "field", "namedtuple", "cached_property",
    "attrgetter", "methodcaller", "attrname", "contextmanager", "deepcopy", "copy", "ABC", "abstractmethod", "append",
    "update", "setdefault", "default_factory", "reduce", "lru_cache", "wraps", "total_ordering", "chain", "starmap",
    "pformat", "register", "get", "items", "maps", "__index__", "__missing__", "__iter__", "__enter__", "__exit__",
)  # fmt: skip
_REFUSED = (
    "mro", "__globals__", "__code__", "__closure__", "__builtins__", "__subclasses__", "__mro__", "__base__",
    "__self__", "__func__", "__wrapped__", "__module__", "__traceback__", "__loader__", "__getattribute__",
    "__reduce__", "__reduce_ex__", "__get__", "__bases__", "gi_frame", "gi_code", "f_globals", "f_back", "f_builtins",
    "tb_frame", "cr_frame", "__annotations__", "with_traceback", "__set_name__", "__init_subclass__", "__prepare__",
    "__class_getitem__", "__new__", "__import__", "__build_class__", "_getattr_", "_write_", "__match_args__",
)  # fmt: skip
_TEXTS = (
    "x", "__globals__", "__class__", "{0.__class__}", "{a.__globals__}", "{0[0]}", "__", "gi_frame", "a b", "{}", "%s",
    "f_back", "_" * 2 + "init__", "__builtins__", "lambda: 0",
)  # fmt: skip
_MODULES = (
    "json", "re", "enum", "functools", "dataclasses", "collections", "typing", "operator", "contextlib", "copy", "abc",
    "itertools", "pprint", "string", "datetime", "random", "io", "csv", "os", "sys", "subprocess", "builtins",
)  # fmt: skip
_WORDS = tuple(
    dict.fromkeys(
        (*_NAMES, *_BUILTINS, *_ATTRIBUTES, *_REFUSED, *_MODULES, "print", "for", "lambda", "import", "match")
    )
)
_TOKENS = re.compile(r"\w+|[^\w\s]|\s+")
_SYSTEM = ("open", "os.", "socket.", "subprocess.", "shutil.", "ctypes.", "mmap.", "fcntl.", "signal.")


class Found(BaseException):
    """A program held what it must not."""


class _Slow(BaseException):
    """The program had its time."""


class _Guarded:
    """What is true while a program runs, and what was seen."""

    running = False
    seen: str | None = None


def _real_builtins() -> list[Any]:
    import builtins

    names = "eval exec compile open __import__ getattr setattr delattr vars globals locals dir input breakpoint help"
    found = [getattr(builtins, name) for name in names.split() if hasattr(builtins, name)]
    methods = ("__subclasses__", "__getattribute__", "__prepare__", "mro", "__call__")
    found += [vars(type)[name] for name in methods if name in vars(type)]
    found += [object.__getattribute__, object.__reduce_ex__, object.__reduce__, object.__setattr__, str.format]
    return [*found, str.format_map, type, builtins, builtins.__build_class__, memoryview]


_REAL = _real_builtins()
_BOUND = frozenset({"__subclasses__", "__getattribute__", "mro", "__reduce__", "__reduce_ex__", "__setattr__"})


def look(value: Any, depth: int = 4) -> None:
    """Raise Found for a value that leads out, also inside containers and instances."""
    kind = type(value)
    if issubclass(kind, _NEVER) or any(value is real for real in _REAL):
        raise Found(f"the program holds {kind.__name__}")
    bound = kind in (types.BuiltinMethodType, types.MethodWrapperType)
    if bound and (value.__name__ in _BOUND or (value.__name__ in ("format", "format_map") and kind is str)):
        raise Found(f"the program holds the method {value.__name__}")
    if isinstance(value, str) and TOKEN in str.__str__(value):
        raise Found("the program holds the token")
    if depth == 0 or kind is Facade:
        return
    if kind in (list, tuple, set, frozenset):
        inner = list(value)[:50]
    elif kind is dict:
        inner = [part for pair in list(value.items())[:50] for part in pair]
    elif kind in made:
        inner = list(object.__getattribute__(value, "__dict__").values()) if hasattr(value, "__dict__") else []
    else:
        inner = []
    for one in inner:
        look(one, depth - 1)


def _print(*values: Any, **options: Any) -> None:
    """The `print` of these programs: looks at each value, and at its text."""
    for value in values:
        look(value)
        if TOKEN in str.__str__(str(value)):
            raise Found("the text of a value has the token")


def canary(x: Any = TOKEN[:0]) -> Any:
    """A function of this process, whose globals hold the token."""
    return x


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _Guarded.running and event.startswith(_SYSTEM):
        _Guarded.seen = f"{event} {arguments!r:.200}"


def _slow(number: int, frame: Any) -> None:
    if _Guarded.running:
        raise _Slow


@contextmanager
def _limited() -> Any:
    _Guarded.running, _Guarded.seen = True, None
    # Again and again: a program may catch it once.
    signal.setitimer(signal.ITIMER_REAL, 0.25, 0.01)
    try:
        yield
    finally:
        _Guarded.running = False
        signal.setitimer(signal.ITIMER_REAL, 0)


def prepare() -> None:
    """Change this process for good, as a worker's."""
    harden()
    sys.addaudithook(_audit)
    signal.signal(signal.SIGALRM, _slow)
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))


def seeds() -> list[bytes]:
    """The corpus of hostile programs, changed nowhere, and drawn programs."""
    count = len(_PROGRAMS)
    return [b"\1" + n.to_bytes(2, "big") + b"\0" for n in range(count)] + [
        bytes([0, 5, *((n * k) % 256 for k in range(1, 60))]) for n in range(60)
    ]


def check(data: bytes) -> None:
    """The property."""
    draw = Draw(data)
    source = (_drawn, _changed, _any)[draw.below(3)](draw)
    try:
        code = compile_program(source)
    except Exception as problem:
        # The only two that compile_program may raise.
        assert isinstance(problem, (SyntaxError, PolicyError)), f"{problem!r}:\n{source}"
        return
    namespace = {"__builtins__": dict(_SCOPE), "__name__": "__sandbox__", "canary": canary}
    exec(_BEFORE, namespace)
    try:
        with _limited(), suppress(Exception, SystemExit, KeyboardInterrupt, GeneratorExit, _Slow):
            exec(code, namespace)
        with _limited(), suppress(_Slow):
            for name, value in namespace.items():
                if name != "__builtins__" and value is not canary:
                    look(value)
    except Found as found:
        raise AssertionError(f"{found}:\n{source}") from None
    except _Slow:
        pass
    if _Guarded.seen:
        raise AssertionError(f"{_Guarded.seen}:\n{source}")


_IMPORTER = Importer(len)
_SCOPE = make_scope(_print, _IMPORTER, {"json": _IMPORTER.modules["json"]})
# So that the names of drawn programs are there.
_BEFORE = compile_program("""
import json, re, enum, functools, dataclasses, collections, typing
a, b, e = [1], {"x": 1}, ValueError("x")
class C:
    x = 1
def f(*x, **y):
    return x
""")
# None that is long, and none that only uses something up.
_PROGRAMS = [
    _TOKENS.findall(program.code)
    for program in [*corpora.hostile(), *corpora.ordinary()[1]]
    if len(program.code) < 2000 and not program.kind.startswith("exhaustion") and "@" not in program.code
]


def _any(draw: Draw) -> str:
    return draw.rest().decode("utf-8", "replace")


def _changed(draw: Draw) -> str:
    """A program of the corpus with tokens taken out, put in, or replaced by those of another."""
    tokens = list(_PROGRAMS[(draw.below(256) << 8 | draw.below(256)) % len(_PROGRAMS)])
    for _ in range(draw.below(8)):
        at, how = draw.below(256) * len(tokens) // 256, draw.below(4)
        if how == 0:
            del tokens[at : at + 1 + draw.below(3)]
        elif how == 1:
            tokens[at:at] = [draw.pick(_WORDS)]
        elif how == 2:
            tokens[at : at + 1] = [draw.pick(_WORDS)]
        else:
            other = draw.pick(_PROGRAMS)
            start = draw.below(256) * len(other) // 256
            tokens[at:at] = other[start : start + draw.below(12)]
    return "".join(tokens)


def _drawn(draw: Draw) -> str:
    """A program by a small grammar."""
    found = []
    for _ in range(1 + draw.below(6)):
        # The next statement runs too when this one fails.
        if draw.below(4):
            found.append(f"try:\n{_statement(draw, 3, ' ')}\nexcept Exception as e:\n print(e)")
        else:
            found.append(_statement(draw, 3, ""))
    return "\n".join(found)


def _statement(draw: Draw, depth: int, indent: str) -> str:
    name = draw.pick(_NAMES)
    if depth == 0 or not draw.left:
        return f"{indent}print({_expression(draw, 2)})"

    def body(more: str = " ") -> str:
        return "\n".join(_statement(draw, depth - 1, indent + more) for _ in range(1 + draw.below(2)))

    def value() -> str:
        return _expression(draw, depth)

    forms = (
        lambda: f"{indent}print({value()})",
        lambda: f"{indent}{name} = {value()}",
        lambda: f"{indent}{value()}.{_attribute(draw)} = {value()}",
        lambda: f"{indent}{name} {draw.pick(('+=', '*=', '|=', '**='))} {value()}",
        lambda: f"{indent}import {draw.pick(_MODULES)} as {name}",
        lambda: f"{indent}from {draw.pick(_MODULES)} import {_attribute(draw)} as {name}",
        lambda: f"{indent}def {name}({draw.pick(('', 'x', '*x', '**x', 'x=a', 'a, /, b'))}):\n{body()}",
        lambda: f"{indent}def {name}(x):\n{indent} yield {value()}\n{body()}",
        lambda: f"{indent}class {name}({draw.pick(('', value()))}):\n{body()}",
        lambda: f"{indent}def {_attribute(draw)}(self, *x):\n{body()}\n{indent} return {value()}",
        lambda: f"{indent}try:\n{body()}\n{indent}except {draw.pick(('Exception', value()))} as e:\n{body()}",
        lambda: f"{indent}for {name} in {value()}:\n{body()}",
        lambda: f"{indent}with {value()} as {name}:\n{body()}",
        lambda: f"{indent}match {value()}:\n{indent} case {_pattern(draw)}:\n{body('  ')}",
        lambda: f"{indent}@{value()}\n{_statement(draw, depth - 1, indent)}",
        lambda: f"{indent}{draw.pick(('global', 'nonlocal', 'del', 'assert', 'raise', 'return'))} {name}",
        lambda: f"{indent}{_attribute(draw)}: {value()} = {value()}",
        lambda: f"{indent}{name}, *{draw.pick(_NAMES)} = {value()}",
    )
    return draw.pick(forms)()


def _attribute(draw: Draw) -> str:
    return draw.pick(_ATTRIBUTES if draw.below(12) else _REFUSED)


def _pattern(draw: Draw) -> str:
    forms = (
        lambda: f"{draw.pick(_BUILTINS)}({_attribute(draw)}={draw.pick(_NAMES)})",
        lambda: f"{{{draw.pick(_TEXTS)!r}: {draw.pick(_NAMES)}, **{_attribute(draw)}}}",
        lambda: f"[{draw.pick(_NAMES)}, *{_attribute(draw)}]",
        lambda: f"{draw.pick(_NAMES)}.{_attribute(draw)}",
        lambda: f"{draw.pick(_BUILTINS)}() as {_attribute(draw)}",
    )
    return draw.pick(forms)()


def _expression(draw: Draw, depth: int) -> str:
    if depth == 0 or not draw.left:
        return draw.pick((draw.pick(_NAMES), repr(draw.pick(_TEXTS)), "(1)", "()", draw.pick(_BUILTINS)))

    def one() -> str:
        return _expression(draw, depth - 1)

    forms = (
        lambda: f"{one()}.{_attribute(draw)}",
        lambda: f"{one()}({one()})",
        lambda: f"{one()}({one()}, {one()})",
        lambda: f"{one()}(*{one()}, **{one()})",
        lambda: f"getattr({one()}, {draw.pick((*_ATTRIBUTES, *_REFUSED, *_TEXTS))!r})",
        lambda: f"{one()}[{one()}]",
        lambda: f"[{one()} for {draw.pick(_NAMES)} in {one()}]",
        lambda: f"(lambda x: {one()})",
        lambda: f"{{{one()}: {one()}}}",
        lambda: f"[{one()}, {one()}]",
        lambda: f"({one()} {draw.pick(('%', '+', '*', '|', 'and', 'or', 'in', 'is', '==', '<<'))} {one()})",
        lambda: f"f'{{{draw.pick(_NAMES)}.{_attribute(draw)}!r:{{{draw.pick(_NAMES)}}}}}'",
        lambda: f"({draw.pick(_NAMES)} := {one()})",
        lambda: f"super().{_attribute(draw)}",
        lambda: f"{draw.pick(_TEXTS)!r}.{draw.pick(('format', 'format_map', 'join', 'replace'))}({one()})",
        lambda: f"(lambda: (yield {one()}))()",
    )
    return draw.pick(forms)()
