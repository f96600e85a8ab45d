"""What a program may be written in: RestrictedPython's transformer with the rules of this sandbox.

Covered here: the language. A program is compiled so that every attribute it reads or writes passes a guard (guards.py),
no name can shadow a guard, and no dunder is within reach. Modules are façades (facades.py).
Not covered here: time, memory, files, network. These are the worker's limits and the kernel's.
Iteration, items and calls are left as they are: their guards would be the identity.
"""

import ast
import re
from collections.abc import Callable
from types import CodeType
from typing import Any

from RestrictedPython.transformer import RestrictingNodeTransformer, copy_locations

from punie_cli.sandbox.guards import DENIED, FILENAME, MAGIC, READABLE, PolicyError

MAX_SOURCE = 200_000

_RESERVED = re.compile(r"_\w*_")
_OPERATORS: dict[type[ast.operator], str] = {ast.Mult: "_mul_", ast.Pow: "_pow_", ast.LShift: "_lshift_"}
_INPLACE: dict[type[ast.operator], str] = {
    ast.Add: "+=", ast.Sub: "-=", ast.Mult: "*=", ast.Div: "/=", ast.Mod: "%=", ast.Pow: "**=", ast.LShift: "<<=",
    ast.RShift: ">>=", ast.BitOr: "|=", ast.BitXor: "^=", ast.BitAnd: "&=", ast.FloorDiv: "//=", ast.MatMult: "@=",
}  # fmt: skip
# Patterns read attributes in C, past the guard: these give away what the guard wraps or refuses.
_PATTERN_DENIED = DENIED | {"format", "format_map", "parser", "obj", "register"}
INSTEAD_OF_NAME = {
    "__new__": "use __init__ or a function that makes the object",
    "__slots__": "leave it out",
    "__getattr__": "define the attributes, or use a dict",
    "__getattribute__": "define the attributes, or use a dict",
    "__setattr__": "use a property",
    "__file__": "a program is not a file; paths are relative to the workspace",
    "__import__": "use an import statement",
    "__builtins__": "use names directly",
    "__del__": "use with or try/finally",
    "__class__": "use type(self)",
}
# The method for each kind of node.
_METHODS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {}
_NO_ASYNC = "async and await are not available; call the functions directly, they return their result"


def compile_program(source: str) -> CodeType:
    """Compile a program under the policy.

    Raises SyntaxError for what is not Python and PolicyError, naming the line, for what is refused.
    """
    if len(source) > MAX_SOURCE:
        raise PolicyError(f"the program has {len(source)} characters; at most {MAX_SOURCE} are allowed")
    try:
        tree = ast.parse(source, FILENAME)
        policy = Policy()
        policy.visit(tree)
        if policy.errors:
            raise PolicyError(policy.errors[0])
        return compile(tree, FILENAME, "exec", dont_inherit=True)
    except (RecursionError, MemoryError):
        raise PolicyError("the program is nested too deeply") from None
    except ValueError as problem:  # NUL bytes, lone surrogates
        raise SyntaxError(str(problem)) from None


class Policy(RestrictingNodeTransformer):
    """Turns a program's tree into one that can only do what the guards allow; collects `errors`."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # One entry a scope: a class's name, or None for a function.
        self._scopes: list[str | None] = []

    def error(self, node: ast.AST, info: str) -> None:
        self.errors.append(f"{info} (line {getattr(node, 'lineno', '?')})")

    def not_allowed(self, node: ast.AST) -> None:
        self.error(node, f"{type(node).__name__} is not available in the sandbox")

    def gen_tmp_name(self) -> str:
        self._tmp_idx += 1
        return f"_rp_{self._tmp_idx}_"

    # Walking, as ast.NodeTransformer does with more work

    def visit(self, node: ast.AST) -> Any:
        kind = type(node)
        method = _METHODS.get(kind)
        if method is None:
            method = _METHODS[kind] = getattr(Policy, f"visit_{kind.__name__}", Policy.generic_visit)
        return method(self, node)

    def node_contents_visit(self, node: Any) -> Any:
        for field in node._fields:
            old = getattr(node, field, None)
            if isinstance(old, list):
                old[:] = self._visit_list(old)
            elif isinstance(old, ast.AST) and not isinstance(old, ast.expr_context):
                new = self.visit(old)
                if new is None:
                    delattr(node, field)
                elif new is not old:
                    setattr(node, field, new)
        return node

    def _visit_list(self, items: list[Any]) -> list[Any]:
        done = []
        for item in items:
            result = self.visit(item) if isinstance(item, ast.AST) else item
            if isinstance(result, list):
                done += result
            elif result is not None or not isinstance(item, ast.AST):
                done.append(result)
        return done

    # Names

    def check_name(self, node: Any, name: str | None, allow_magic_methods: bool = False) -> None:
        if name is None or name in ("_", "__") or (allow_magic_methods and name in MAGIC):
            return
        if name in DENIED or (name.startswith("__") and (name.endswith("__") or not self._in_class())):
            # A field of a class is read by patterns in C: one called gi_frame would give away a frame.
            instead = f"; {INSTEAD_OF_NAME[name]}" if name in INSTEAD_OF_NAME else ""
            self.error(node, f"the name '{name}' is not available in the sandbox{instead}")
        elif _RESERVED.fullmatch(name):
            self.error(node, f"the name '{name}' is reserved; names must not begin and end with '_'")

    def _in_class(self) -> bool:
        return any(scope is not None for scope in self._scopes)

    def _in_class_body(self) -> bool:
        return bool(self._scopes) and self._scopes[-1] is not None

    def _mangle(self, name: str) -> str:
        if name.startswith("__") and not name.endswith("__"):
            for scope in reversed(self._scopes):
                if scope is not None and scope.strip("_"):
                    return f"_{scope.lstrip('_')}{name}"
        return name

    def visit_Name(self, node: ast.Name) -> Any:
        if node.id == "__name__" and isinstance(node.ctx, ast.Load):
            constant = ast.Constant("__main__")
            copy_locations(constant, node)
            return constant
        # `__str__ = __repr__` in a class body
        self.check_name(node, node.id, allow_magic_methods=self._in_class_body())
        return node

    def visit_Global(self, node: ast.Global) -> Any:
        for name in node.names:
            self.check_name(node, name)
        return node

    def visit_Nonlocal(self, node: ast.Nonlocal) -> Any:
        for name in node.names:
            self.check_name(node, name)
        return node

    # Attributes

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self._check_attribute(node, node.attr, node)
        value = self.visit(node.value)
        if isinstance(node.ctx, ast.Load):
            guard = "_superattr_" if self._is_super(node) else "_getattr_"
            return self._call(node, guard, value, ast.Constant(self._mangle(node.attr)))
        node.value = self._call(node.value, "_write_", value)
        return node

    def _check_attribute(self, node: ast.AST, name: str, attribute: ast.Attribute | None = None) -> None:
        dunder = name.startswith("__") and name.endswith("__")
        read = attribute is not None and isinstance(attribute.ctx, ast.Load)
        if name in DENIED or (dunder and not (read and name in READABLE | MAGIC)):
            self.error(node, f"the attribute '{name}' is not available in the sandbox")

    @staticmethod
    def _is_super(node: ast.Attribute) -> bool:
        value = node.value
        return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "super"

    def _call(self, near: ast.AST, guard: str, *args: ast.expr) -> ast.Call:
        name = ast.Name(guard, ast.Load())
        call = ast.Call(name, list(args), [])
        for node in (call, name, *args):
            if getattr(node, "lineno", None) is None:
                ast.copy_location(node, near)
        return call

    # Expressions and assignments

    def guard_iter(self, node: Any) -> Any:
        return self.node_contents_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        return self.node_contents_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        return self.node_contents_visit(node)

    def visit_Assign(self, node: ast.Assign) -> Any:
        return self.node_contents_visit(node)

    def visit_With(self, node: ast.With) -> Any:
        return self.node_contents_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        node = self.node_contents_visit(node)
        guard = _OPERATORS.get(type(node.op))
        return self._call(node, guard, node.left, node.right) if guard else node

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        value = self.visit(node.value)
        operator = ast.Constant(_INPLACE[type(node.op)])
        target = node.target
        if isinstance(target, ast.Name):
            self.check_name(node, target.id)
            current: ast.expr = ast.Name(target.id, ast.Load())
            return self._assign(node, target, self._call(node, "_inplacevar_", operator, current, value))
        # The object and the index are evaluated once, as Python does.
        holder = self.gen_tmp_name()
        keep = self._assign(node, ast.Name(holder, ast.Store()), self.visit(target.value))
        if isinstance(target, ast.Attribute):
            self._check_attribute(node, target.attr)
            name = ast.Constant(self._mangle(target.attr))
            current = self._call(node, "_getattr_", ast.Name(holder, ast.Load()), name)
            place: ast.expr = ast.Attribute(
                self._call(node, "_write_", ast.Name(holder, ast.Load())), target.attr, ast.Store()
            )
            steps = [keep]
        else:
            index = self.gen_tmp_name()
            steps = [keep, self._assign(node, ast.Name(index, ast.Store()), self._index(target.slice))]
            current = ast.Subscript(ast.Name(holder, ast.Load()), ast.Name(index, ast.Load()), ast.Load())
            place = ast.Subscript(ast.Name(holder, ast.Load()), ast.Name(index, ast.Load()), ast.Store())
        changed = self._call(node, "_inplacevar_", operator, current, value)
        return [*steps, self._assign(node, place, changed)]

    def _index(self, index: ast.expr) -> ast.expr:
        if not isinstance(index, ast.Slice):
            return self.visit(index)
        parts = [self.visit(p) if p else ast.Constant(None) for p in (index.lower, index.upper, index.step)]
        return self._call(index, "_slice_", *parts)

    def _assign(self, near: ast.stmt, target: ast.expr, value: ast.expr) -> ast.Assign:
        assign = ast.Assign([target], value)
        copy_locations(assign, near)
        return assign

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        # Annotations are never evaluated nor kept as text: dataclass and others would evaluate them.
        field = self._in_class_body() and isinstance(node.target, ast.Name)
        if field and "ClassVar" not in ast.dump(node.annotation):
            node.annotation = ast.Constant(None)
            copy_locations(node.annotation, node.target)
            return self.node_contents_visit(node)
        if node.value is None:
            nothing = ast.Pass()
            copy_locations(nothing, node)
            return nothing
        return self.visit(self._assign(node, node.target, node.value))

    # Functions and classes

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        self.check_name(node, node.name, allow_magic_methods=self._in_class_body())
        self.check_function_argument_names(node)
        self._no_type_parameters(node)
        node.returns = None
        node.decorator_list = [self.visit(d) for d in node.decorator_list]
        node.args = self.visit(node.args)
        self._scopes.append(None)
        node.body = self._visit_list(node.body)
        self._scopes.pop()
        return node

    def visit_arg(self, node: ast.arg) -> Any:
        node.annotation = None
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        self.check_name(node, node.name)
        self._no_type_parameters(node)
        if node.keywords:
            self.error(
                node,
                "keywords in a class statement (such as metaclass=) are not available; "
                "for abstract classes derive from abc.ABC",
            )
        node.decorator_list = [self.visit(d) for d in node.decorator_list]
        node.bases = [self.visit(b) for b in node.bases]
        self._scopes.append(node.name)
        node.body = self._visit_list(node.body)
        self._scopes.pop()
        return node

    def _no_type_parameters(self, node: Any) -> None:
        if getattr(node, "type_params", None):
            self.error(node, "type parameters are not available; leave them out, annotations are not evaluated")

    def visit_TypeAlias(self, node: Any) -> Any:
        self.error(node, "type statements are not available; leave them out, annotations are not evaluated")

    def visit_Module(self, node: ast.Module) -> Any:
        node.body = self._visit_list(node.body)
        return node

    # Imports

    def check_import_names(self, node: Any) -> Any:
        if getattr(node, "is_lazy", 0):
            self.error(node, "lazy imports are not available")
        if getattr(node, "level", 0):
            self.error(node, "relative imports are not available; use read_file(path) to look at project files")
        module = getattr(node, "module", None) or ""
        if module.startswith("_") and module != "__future__":
            self.error(node, f"'{module}' is not available in the sandbox")
        for alias in node.names:
            if alias.name == "*":
                self.error(node, "star imports are not available; import the names you need")
            elif alias.asname:
                self.check_name(node, alias.asname)
            else:
                self.check_name(node, alias.name.partition(".")[0])
            if alias.name.startswith("_"):
                self.error(node, f"'{alias.name}' is not available in the sandbox")
        return node

    # match

    def visit_Match(self, node: ast.Match) -> Any:
        return self.node_contents_visit(node)

    def visit_match_case(self, node: ast.match_case) -> Any:
        return self.node_contents_visit(node)

    def visit_MatchSingleton(self, node: ast.MatchSingleton) -> Any:
        return node

    def visit_MatchSequence(self, node: ast.MatchSequence) -> Any:
        return self.node_contents_visit(node)

    def visit_MatchOr(self, node: ast.MatchOr) -> Any:
        return self.node_contents_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> Any:
        self.check_name(node, node.name)
        return node

    def visit_MatchAs(self, node: ast.MatchAs) -> Any:
        self.check_name(node, node.name)
        return self.node_contents_visit(node)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> Any:
        self.check_name(node, node.rest)
        for key in node.keys:
            self._check_pattern_value(key)
        node.patterns = [self.visit(p) for p in node.patterns]
        return node

    def visit_MatchValue(self, node: ast.MatchValue) -> Any:
        self._check_pattern_value(node.value)
        return node

    def visit_MatchClass(self, node: ast.MatchClass) -> Any:
        self._check_pattern_value(node.cls)
        for name in node.kwd_attrs:
            self._check_pattern_name(node, name)
        node.patterns = [self.visit(p) for p in node.patterns]
        node.kwd_patterns = [self.visit(p) for p in node.kwd_patterns]
        return node

    def _check_pattern_value(self, node: ast.expr) -> None:
        """A value in a pattern stays as it is: Python allows no call there."""
        for part in ast.walk(node):
            if isinstance(part, ast.Attribute):
                self._check_pattern_name(part, part.attr)
            elif isinstance(part, ast.Name):
                self.check_name(part, part.id)
            elif not isinstance(part, (ast.Constant, ast.UnaryOp, ast.USub, ast.BinOp, ast.Add, ast.Sub, ast.Load)):
                self.not_allowed(part)

    def _check_pattern_name(self, node: ast.AST, name: str) -> None:
        if name.startswith("_") or name in _PATTERN_DENIED:
            self.error(node, f"the attribute '{name}' is not available in a pattern")

    # Refused, with a way out

    def visit_AsyncFunctionDef(self, node: Any) -> Any:
        self.error(node, _NO_ASYNC)

    visit_Await = visit_AsyncFor = visit_AsyncWith = visit_AsyncFunctionDef

    def visit_comprehension(self, node: ast.comprehension) -> Any:
        if node.is_async:
            self.error(node.target, _NO_ASYNC)
        return self.node_contents_visit(node)

    def visit_TryStar(self, node: Any) -> Any:
        self.error(node, "except* is not available; use except")
