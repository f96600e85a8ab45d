"""Before a program that a model wrote runs, the real ty reads it against stubs of the builtins.

    error = await Precheck(registry).look(code, earlier, workspace)    # None: run it

What is certain to fail where it is reached comes back in the words of the run-time error: a field that a result does
not have, arguments that a builtin does not take, a name that is nowhere. All else that ty may say is left out, and
without a ty, or with one that fails or takes too long, the program simply runs.
"""

import ast
import builtins
import difflib
import inspect
import logging
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from punie_cli import processes
from punie_cli.agent.stubs import result_classes, stub_text, taken_kinds
from punie_cli.builtins.registry import Builtin, Parameter, Registry, type_text
from punie_cli.builtins.typecheck import Finding, parse_gitlab
from punie_cli.find_tool import tool_command
from punie_cli.quiet import quiet
from punie_cli.workspace import Workspace

log = logging.getLogger(__name__)

TIMEOUT_S = 2.0
_OUTPUT_BYTES = 1 << 20
# Names of rules in the versions of ty that punie takes, and in older ones.
_ATTRIBUTE = ("missing-attribute", "unresolved-attribute")
_REFERENCE = ("unresolved-reference",)
_ARGUMENT_TYPE = "invalid-argument-type"
_CALLS = (
    "unknown-argument",
    "missing-argument",
    "too-many-positional-arguments",
    "parameter-already-assigned",
    _ARGUMENT_TYPE,
)
_NO_ATTRIBUTE = re.compile(r"Object of type `(?P<type>.+)` has no attribute `(?P<name>\w+)`")
_NO_NAME = re.compile(r"Name `(?P<name>\w+)` used when not defined")
_FUNCTION = re.compile(r"function `(?P<name>\w+)`")
_FOUND = re.compile(r"Expected `.+`, found `(?P<type>.+)`")
_PLAIN = {kind.__name__: kind for kind in (str, int, float, bool, list, dict, tuple, set, frozenset, bytes)}
# What no builtin takes, whatever its parameter.
_NEVER_SENT = ("set", "frozenset", "bytes")

Error = dict[str, Any]


class Precheck:
    """Looks at programs before they run; `registry` is what they may call."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._classes = result_classes(registry)
        self._stub = stub_text(registry)

    async def look(self, code: str, earlier: Sequence[str], workspace: Workspace) -> Error | None:
        """The first error of `code` that is certain (`kind`, `message`, `line`); None for none, or no look.

        `earlier` are the programs that ran before it in its turn: their names are known.
        """
        # Python, ty and what is below are to count the same lines.
        code, *earlier = (text.replace("\r\n", "\n").replace("\r", "\n") for text in (code, *earlier))
        program = _parsed(code)
        if program is None:
            return None
        before = [(text, tree) for text in earlier if (tree := _parsed(text)) is not None]
        look = _Look(code, [*(tree for _, tree in before), program], self._registry, self._classes)
        if not look.worthwhile():
            return None
        text = "".join(f"{text}\n" for text, _ in before)
        findings = await self._run(text + code, workspace)
        first = text.count("\n")
        for finding in sorted(findings, key=lambda f: (f.line, f.column)):
            if finding.line > first and (error := look.error(finding, finding.line - first)) is not None:
                return error
        return None

    async def _run(self, text: str, workspace: Workspace) -> list[Finding]:
        """What ty says; nothing where it could not say anything."""
        try:
            command = tool_command(workspace, "ty")
            if command is None:
                log.info("a program was not looked at before it ran: there is no ty")
                return []
            with tempfile.TemporaryDirectory(prefix="punie-check-") as folder:
                root = Path(folder)
                (root / "__builtins__.pyi").write_text(self._stub, encoding="utf-8")
                (root / "program.py").write_text(text, encoding="utf-8")
                # A ty.toml of the user, or in a folder above, may turn rules off.
                (root / "ty.toml").touch()
                env = processes.child_environment(root) | {"XDG_CONFIG_HOME": folder}
                argv = [*command, "check", "--output-format", "gitlab", "--color", "never", "--no-progress"]
                argv += ["--", "program.py"]
                done = await processes.run(argv, cwd=root, env=env, timeout_s=TIMEOUT_S, output_bytes=_OUTPUT_BYTES)
        except (OSError, ValueError) as problem:
            log.warning("a program was not looked at before it ran: %s", problem)
            return []
        findings = parse_gitlab(done.stdout, "") if done.exit_code in (0, 1) and not done.timed_out else None
        if findings is None:
            why = f"took longer than {TIMEOUT_S:g} s" if done.timed_out else f"exit code {done.exit_code}"
            log.warning("a program was not looked at before it ran: ty: %s %s", why, done.stderr[-300:])
        return findings or []


class _Look:
    """One program, and what of ty's findings counts in it."""

    def __init__(
        self, code: str, trees: Sequence[ast.Module], registry: Registry, classes: dict[str, dict[str, Any]]
    ) -> None:
        *_, self._program = self._trees = trees
        self._lines = code.split("\n")
        self._registry = registry
        self._classes = classes
        self._bound = {name for tree in trees for name in _bound(tree)}

    def worthwhile(self) -> bool:
        """Whether ty could find anything that counts: most programs are one call with a path."""
        # The sandbox drops annotations: what they say need not be true.
        if any(_annotated(node) for tree in self._trees for node in ast.walk(tree)):
            return False
        return not all(map(self._plain, ast.walk(self._program)))

    def error(self, finding: Finding, line: int) -> Error | None:
        """The run-time error that this finding stands for; None where it is none, or not for certain."""
        if any(line in lines for lines in _forgiving(self._program)):
            return None
        kind = message = None
        if finding.code in _ATTRIBUTE and (match := _NO_ATTRIBUTE.search(finding.message)):
            kind, message = "AttributeError", self._no_attribute(match["type"], match["name"])
        elif finding.code in _REFERENCE and (match := _NO_NAME.search(finding.message)):
            # A function may be called when the name is there.
            if match["name"] not in self._bound and not any(line in lines for lines in _deferred(self._program)):
                kind, message = "NameError", f"name '{match['name']}' is not defined"
        elif finding.code in _CALLS and (match := _FUNCTION.search(finding.message)):
            call = self._call_at(match["name"], line, self._column(line, finding.column))
            if call is not None:
                kind, message = "TypeError", self._wrong_call(call, finding, line)
        return {"kind": kind, "message": message, "line": line} if message else None

    def _plain(self, node: ast.AST) -> bool:
        """Is there nothing in this node itself that could count?"""
        if isinstance(node, ast.Name):
            return not isinstance(node.ctx, ast.Load) or self._is_known(node.id)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self._registry.names:
            declared = self._registry[node.func.id]
            return _misfit(node, declared) is None and all(
                _is_text(value) and "str" in (taken_kinds(parameter.annotation) or ())
                for parameter, value in _arguments(node, declared)
            )
        return not isinstance(node, ast.Attribute)

    def _is_known(self, name: str) -> bool:
        return name in self._bound or name in self._registry.names or name == "json" or hasattr(builtins, name)

    def _no_attribute(self, kind: str, name: str) -> str | None:
        if name.startswith("_") or kind in self._bound:
            return None
        if kind in self._classes:
            fields = list(self._classes[kind])
            near = next(iter(difflib.get_close_matches(name, fields, 1)), None)
            hint = f"did you mean '{near}'? " if near else ""
            return f"{kind} has no field '{name}'; {hint}it has: {', '.join(fields)}"
        plain = _PLAIN.get(_outer(kind) or "")
        if plain is None or plain.__name__ in self._bound:
            return None
        near = difflib.get_close_matches(name, [n for n in dir(plain) if not n.startswith("_")], 1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return f"'{plain.__name__}' object has no attribute '{name}'{hint}"

    def _wrong_call(self, call: ast.Call, finding: Finding, line: int) -> str | None:
        declared = self._registry[_called(call)]
        if (misfit := _misfit(call, declared)) is not None or finding.code != _ARGUMENT_TYPE:
            return misfit
        match = _FOUND.search(finding.message)
        kind = _outer(match["type"]) if match else None
        place = (line, self._column(line, finding.column))
        parameter = next((p for p, value in _arguments(call, declared) if _covers(value, place)), None)
        if kind is None or parameter is None:
            return None
        if kind in self._classes or kind in _NEVER_SENT:
            return f"a builtin takes text, numbers, lists and dicts, not {kind}"
        kind, taken = ("list" if kind == "tuple" else kind), taken_kinds(parameter.annotation)
        if taken is None or kind in taken or kind not in {*_PLAIN, "NoneType"}:
            return None
        return f"{declared.name}() argument '{parameter.name}' must be {type_text(parameter.annotation)}, not {kind}"

    def _call_at(self, name: str, line: int, column: int) -> ast.Call | None:
        """The innermost call of a builtin around this place; None for a name that the programs gave away."""
        if name in self._bound or name not in self._registry.names:
            return None
        found = [
            node
            for node in ast.walk(self._program)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == name
            and _covers(node, (line, column))
        ]
        # ast.walk goes from the outside inwards.
        return found[-1] if found else None

    def _column(self, line: int, column: int) -> int:
        """ty counts characters from 1, Python's tree bytes from 0."""
        return len(self._lines[line - 1][: column - 1].encode())


def _parsed(code: str) -> ast.Module | None:
    """None for what is no Python: the sandbox says what is wrong with it."""
    try:
        with quiet():
            return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _bound(tree: ast.Module) -> Iterator[str]:
    """Every name that something in the program gives a value, wherever."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case ast.MatchMapping(rest=str(name)):
                yield name


def _annotated(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) or bool(getattr(node, "annotation", None) or getattr(node, "returns", None))


def _forgiving(tree: ast.Module) -> Iterator[range]:
    """Lines whose errors the program itself may see to."""
    for node in ast.walk(tree):
        if (isinstance(node, ast.Try) and node.handlers) or (
            isinstance(node, ast.With) and any("suppress" in ast.dump(item.context_expr) for item in node.items)
        ):
            yield _lines_of(node.body)


def _deferred(tree: ast.Module) -> Iterator[range]:
    """Lines that do not run where they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield _lines_of(node.body)
        elif isinstance(node, ast.Lambda):
            yield range(node.lineno, (node.end_lineno or node.lineno) + 1)


def _lines_of(body: Sequence[ast.stmt]) -> range:
    return range(body[0].lineno, (body[-1].end_lineno or body[-1].lineno) + 1)


def _covers(node: ast.expr | ast.keyword, place: tuple[int, int]) -> bool:
    end = (node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
    return (node.lineno, node.col_offset) <= place < end


def _is_text(value: ast.expr | ast.keyword) -> bool:
    value = value.value if isinstance(value, ast.keyword) else value
    return isinstance(value, ast.JoinedStr) or (isinstance(value, ast.Constant) and isinstance(value.value, str))


def _called(call: ast.Call) -> str:
    assert isinstance(call.func, ast.Name)
    return call.func.id


def _arguments(call: ast.Call, declared: Builtin) -> Iterator[tuple[Parameter, ast.expr | ast.keyword]]:
    """Parameters with what they are given, `name=value` as a whole."""
    if any(isinstance(value, ast.Starred) for value in call.args):
        return
    yield from zip(declared.parameters, call.args, strict=False)
    named = {parameter.name: parameter for parameter in declared.parameters}
    for keyword in call.keywords:
        if keyword.arg in named:
            yield named[keyword.arg], keyword


def _misfit(call: ast.Call, declared: Builtin) -> str | None:
    """How the sandbox puts it that a builtin does not take these arguments; None where it may."""
    if any(isinstance(value, ast.Starred) for value in call.args) or any(k.arg is None for k in call.keywords):
        return None
    known = [p.name for p in declared.parameters]
    needed = [p.name for p in declared.parameters if p.default is inspect.Parameter.empty]
    shown = ", ".join(p.name if p.name in needed else f"{p.name}={p.default!r}" for p in declared.parameters)
    call_text = f"{declared.name}({shown})"
    if len(call.args) > len(known):
        most = f"{len(known)} argument{'s' * (len(known) != 1)}"
        return f"{call_text} takes at most {most}, not {len(call.args)}"
    given = known[: len(call.args)]
    for keyword in call.keywords:
        if keyword.arg not in known or keyword.arg in given:
            wrong = " twice" if keyword.arg in given else ", which it does not take"
            return f"{call_text} got '{keyword.arg}'{wrong}"
        given.append(keyword.arg)
    missing = next((name for name in needed if name not in given), None)
    return None if missing is None else f"{call_text} needs '{missing}'"


def _outer(kind: str) -> str | None:
    """The class of a type as ty writes it: `list[Finding]` → list, `Literal[3]` → int; None for unions and more."""
    if kind.startswith("Literal["):
        try:
            values = ast.literal_eval(f"({kind[len('Literal[') : -1]},)")
        except (SyntaxError, ValueError):
            return None
        kinds = {type(value).__name__ for value in values}
        return kinds.pop() if len(kinds) == 1 else None
    if kind == "None":
        return "NoneType"
    if kind == "LiteralString":
        return "str"
    match = None if re.search(r"\] [|&] ", kind) else re.fullmatch(r"(\w+)(\[.*\])?", kind)
    return match[1] if match else None
