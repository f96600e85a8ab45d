"""Which fields of results of builtins programs read: their text is followed, not searched.

A value counts as a result if it comes from a call of a builtin, through names, loops, comprehensions, items, lambdas
and functions of the program. A word in a string or a comment is no read, nor is a field that this kind of result lacks.
"""

import ast
from collections.abc import Iterable, Sequence
from typing import Any

from punie_cli.builtins.registry import declared
from punie_cli.evaluation.flow import (
    NOTHING,
    Builtin,
    Fixed,
    Function,
    Many,
    Map,
    Names,
    Object,
    Value,
    Values,
    any_of,
    handed_on,
    item,
    items,
    maps,
    of_type,
    one,
)

# What following the programs of one conversation may cost, in visits of nodes: far more than an honest one needs.
_FUEL = 50_000
_DEPTH = 12


def fields_read(records: Sequence[dict[str, Any]]) -> frozenset[str]:
    """Names of the fields that the programs of a conversation read, of those that ran without an error.

    Names live as long as a turn, as in the sandbox. Never raises, whatever a program looks like.
    """
    reader = _Reader()
    names: Names = {}
    code = None
    for record in records:
        if record["type"] == "prompt":
            names, code = {}, None
        elif record["type"] == "program":
            code = record["code"]
        elif record["type"] == "output" and code is not None:
            # What was seen to fail before it ran has bound no name.
            if (record["error"] or {}).get("ran", True):
                reader.follow(code, names, counts=record["error"] is None)
            code = None
    return frozenset(reader.read)


class _Spent(Exception):
    """The program is too large to be followed."""


class _Reader:
    """Follows programs and collects the fields in `read`."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self._builtins = {name: one(Builtin(name, found.returns)) for name, found in declared().items()}
        self._fuel = _FUEL
        self._depth = 0
        # What the functions under way returned or yielded.
        self._results: list[set[Value]] = []

    def follow(self, code: str, names: Names, *, counts: bool) -> None:
        """Follow one program; what it defines stays in `names`, also if its reads do not count."""
        before = set(self.read)
        try:
            self._block(ast.parse(code).body, names)
        except (SyntaxError, ValueError, RecursionError, MemoryError, _Spent):
            # What was seen until then was read.
            self._depth, self._results = 0, []
        if not counts:
            self.read = before

    # Statements

    def _block(self, body: Iterable[ast.stmt], names: Names) -> None:
        for statement in body:
            self._statement(statement, names)

    def _branches(self, names: Names, *bodies: Sequence[ast.stmt]) -> None:
        """Bodies of which any one may run: what they bind is joined."""
        ends = [dict(names) for _ in bodies]
        for body, end in zip(bodies, ends, strict=True):
            self._block(body, end)
        for name in {name for end in ends for name in end}:
            names[name] = any_of(end.get(name, NOTHING) for end in ends)

    def _statement(self, node: ast.stmt, names: Names) -> None:
        self._pay()
        match node:
            case ast.Assign():
                value = self._value(node.value, names)
                for target in node.targets:
                    self._bind(target, value, names)
            case ast.AnnAssign(value=ast.expr() as given):
                self._bind(node.target, self._value(given, names), names)
            case ast.AugAssign():
                self._grow(node.target, self._value(node.value, names), names)
            case ast.For():
                found = items(self._value(node.iter, names))
                # The second time around, names hold what the first one left.
                for _ in range(2):
                    inner = dict(names)
                    self._bind(node.target, found, inner)
                    self._block(node.body, inner)
                    for name, value in inner.items():
                        names[name] = names.get(name, NOTHING) | value
                self._block(node.orelse, names)
            case ast.While():
                for _ in range(2):
                    self._value(node.test, names)
                    self._branches(names, node.body, [])
                self._block(node.orelse, names)
            case ast.If():
                self._value(node.test, names)
                self._branches(names, node.body, node.orelse)
            case ast.With():
                for part in node.items:
                    value = self._value(part.context_expr, names)
                    if part.optional_vars:
                        self._bind(part.optional_vars, value, names)
                self._block(node.body, names)
            case ast.Try() | ast.TryStar():
                self._block(node.body, names)
                for handler in node.handlers:
                    self._branches(names, handler.body, [])
                self._block([*node.orelse, *node.finalbody], names)
            case ast.Match():
                self._match(node, names)
            case ast.FunctionDef():
                names[node.name] = one(Function(node, names))
            case ast.ClassDef():
                names[node.name] = NOTHING
            case ast.Import() | ast.ImportFrom():
                for alias in node.names:
                    names[alias.asname or alias.name.partition(".")[0]] = NOTHING
            case ast.Return(value=ast.expr() as given):
                self._returned(self._value(given, names))
            case _:
                self._inside(node, names)

    def _inside(self, node: ast.AST, names: Names) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._value(child, names)
            elif isinstance(child, ast.keyword):
                self._value(child.value, names)

    def _match(self, node: ast.Match, names: Names) -> None:
        subject = self._value(node.subject, names)
        for case in node.cases:
            self._pattern(case.pattern, subject, names)
            if case.guard:
                self._value(case.guard, names)
        self._branches(names, *[case.body for case in node.cases], [])

    def _pattern(self, pattern: ast.pattern, subject: Values, names: Names) -> None:
        match pattern:
            case ast.MatchAs():
                if pattern.pattern:
                    self._pattern(pattern.pattern, subject, names)
                if pattern.name:
                    names[pattern.name] = subject
            case ast.MatchStar(name=str() as name):
                names[name] = one(Many(subject))
            case ast.MatchSequence():
                for part in pattern.patterns:
                    self._pattern(part, items(subject), names)
            case ast.MatchOr():
                for part in pattern.patterns:
                    self._pattern(part, subject, names)

    def _returned(self, value: Values) -> None:
        if self._results:
            self._results[-1] |= value

    def _bind(self, target: ast.expr, value: Values, names: Names) -> None:
        match target:
            case ast.Name():
                names[target.id] = value
            case ast.Tuple() | ast.List():
                star = next((i for i, part in enumerate(target.elts) if isinstance(part, ast.Starred)), None)
                for i, part in enumerate(target.elts):
                    if isinstance(part, ast.Starred):
                        self._bind(part.value, one(Many(items(value))), names)
                    else:
                        # After a star it is counted from the end.
                        after = star is not None and i > star
                        self._bind(part, item(value, i - len(target.elts) if after else i), names)
            case ast.Subscript():
                self._value(target.slice, names)
                self._grow(target, value, names)

    def _grow(self, place: ast.expr, more: Values, names: Names) -> None:
        """What stands at `place` may be `more` as well."""
        match place:
            case ast.Name():
                names[place.id] = names.get(place.id, NOTHING) | more
            case ast.Subscript():
                self._grow(place.value, frozenset((Map(NOTHING, more), Many(more))), names)
            case ast.Call(func=ast.Attribute(attr="setdefault") as func):
                self._grow(func.value, one(Map(NOTHING, more)), names)

    # Expressions

    def _value(self, node: ast.expr, names: Names) -> Values:
        self._pay()
        match node:
            case ast.Name():
                return names[node.id] if node.id in names else self._builtins.get(node.id, NOTHING)
            case ast.Attribute():
                return self._attribute(self._value(node.value, names), node.attr)
            case ast.Call():
                return self._call(node, names)
            case ast.Subscript():
                value = self._value(node.value, names)
                self._value(node.slice, names)
                return one(Many(items(value))) if isinstance(node.slice, ast.Slice) else item(value, _int(node.slice))
            case ast.NamedExpr():
                value = self._value(node.value, names)
                self._bind(node.target, value, names)
                return value
            case ast.Tuple() if not any(isinstance(part, ast.Starred) for part in node.elts):
                return one(Fixed(tuple(self._value(part, names) for part in node.elts)))
            case ast.List() | ast.Set() | ast.Tuple():
                return one(Many(any_of([self._value(part, names) for part in node.elts])))
            case ast.Starred():
                return items(self._value(node.value, names))
            case ast.Dict():
                keys = any_of([self._value(key, names) for key in node.keys if key])
                return one(Map(keys, any_of([self._value(value, names) for value in node.values])))
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                return one(Many(*self._comprehension(node, names, node.elt)))
            case ast.DictComp():
                return one(Map(*self._comprehension(node, names, node.key, node.value)))
            case ast.IfExp():
                self._value(node.test, names)
                return self._value(node.body, names) | self._value(node.orelse, names)
            case ast.BoolOp():
                return any_of([self._value(part, names) for part in node.values])
            case ast.BinOp():
                return self._value(node.left, names) | self._value(node.right, names)
            case ast.Lambda():
                return one(Function(node, names))
            case ast.Yield(value=ast.expr() as given):
                self._returned(one(Many(self._value(given, names))))
            case ast.YieldFrom():
                self._returned(self._value(node.value, names))
            case _:
                self._inside(node, names)
        return NOTHING

    def _comprehension(
        self,
        node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp,
        names: Names,
        *elements: ast.expr,
    ) -> list[Values]:
        inner = dict(names)
        for generator in node.generators:
            self._bind(generator.target, items(self._value(generator.iter, inner)), inner)
            for test in generator.ifs:
                self._value(test, inner)
        found = [self._value(element, inner) for element in elements]
        # A walrus binds outside of the comprehension.
        for part in ast.walk(node):
            if isinstance(part, ast.NamedExpr):
                names[part.target.id] = inner.get(part.target.id, NOTHING)
        return found

    def _attribute(self, owner: Values, name: str) -> Values:
        kinds = [value.model for value in owner if isinstance(value, Object) and name in value.model.model_fields]
        if kinds:
            self.read.add(name)
        return any_of(of_type(kind.model_fields[name].annotation) for kind in kinds)

    def _call(self, node: ast.Call, names: Names) -> Values:
        args = [self._value(argument, names) for argument in node.args]
        keywords = {keyword.arg: self._value(keyword.value, names) for keyword in node.keywords}
        if isinstance(node.func, ast.Attribute):
            return self._method(node.func, self._value(node.func.value, names), args, keywords, names)
        called = self._value(node.func, names)
        if called or not isinstance(node.func, ast.Name):
            return self._apply(called, args, keywords)
        match node.func.id, node.args:
            case "getattr", [_, ast.Constant(value=str() as name), *_]:
                return self._attribute(args[0], name)
        return handed_on(node.func.id, args, keywords, self._apply)

    def _apply(
        self, called: Values, args: Sequence[Values], keywords: dict[str | None, Values] | None = None
    ) -> Values:
        found: set[Value] = set()
        for function in called:
            if isinstance(function, Builtin):
                found |= of_type(function.returns)
            elif isinstance(function, Function) and self._depth < _DEPTH:
                found |= self._run(function, args, keywords or {})
        return frozenset(found)

    def _run(self, function: Function, args: Sequence[Values], keywords: dict[str | None, Values]) -> Values:
        node, inner = function.node, dict(function.names)
        takes = [parameter.arg for parameter in (*node.args.posonlyargs, *node.args.args)]
        for name in (*takes, *[parameter.arg for parameter in node.args.kwonlyargs]):
            inner[name] = keywords.get(name, NOTHING)
        inner.update(zip(takes, args, strict=False))
        if node.args.vararg:
            inner[node.args.vararg.arg] = one(Many(any_of(args[len(takes) :])))
        self._depth += 1
        try:
            if isinstance(node, ast.Lambda):
                return self._value(node.body, inner)
            self._results.append(set())
            self._block(node.body, inner)
            return frozenset(self._results.pop())
        finally:
            self._depth -= 1

    def _method(
        self,
        func: ast.Attribute,
        owner: Values,
        args: Sequence[Values],
        keywords: dict[str | None, Values],
        names: Names,
    ) -> Values:
        """A method of a list or dict, or a function of a module."""
        first, last = (args[0], args[-1]) if args else (NOTHING, NOTHING)
        keys, values = any_of(m.keys for m in maps(owner)), any_of(m.values for m in maps(owner))
        match func.attr:
            case "append" | "add" | "insert" | "appendleft":
                self._grow(func.value, one(Many(last)), names)
            case "extend" | "update":
                self._grow(func.value, frozenset((Many(items(first)), *maps(first))), names)
            case "sort":
                self._apply(keywords.get("key", NOTHING), [items(owner)])
            case "items":
                return one(Many(one(Fixed((keys, values)))))
            case "values":
                return one(Many(values))
            case "keys":
                return one(Many(keys))
            case "get" | "setdefault":
                return values | last
            case "pop" | "popleft":
                return (values or items(owner)) | any_of(args[1:])
            case "copy":
                return owner
            case _:
                return handed_on(func.attr, args, keywords, self._apply)
        return NOTHING

    def _pay(self) -> None:
        self._fuel -= 1
        if self._fuel < 0:
            raise _Spent


def _int(node: ast.expr) -> int | None:
    match node:
        case ast.Constant(value=int() as number):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as number)):
            return -number
    return None
