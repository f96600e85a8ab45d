"""Shares of rows that teach one thing each: what a phase is judged by before anything is trained."""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from punie_cli.agent.messages import Message
from punie_cli.builtins.registry import Registry, Result
from punie_cli.rows.row import Row

_FAILED = re.compile(r"^(exit code -?[1-9]\d*|type check failed: .*|lint failed: .*|tests did not run: .*)$", re.M)
_CHECKS = ("typecheck", "lint", "test")


def shares(rows: Sequence[Row]) -> dict[str, float]:
    """Share of the rows, 0 to 1, of each kind; a row may be of several.

    direct: no program. answered: a program, its output, and an answer at the end. fields: a program reads a field of a
    result. failures: something failed or was refused. fixes: a file is written and then checked. steps: two programs
    or more.
    """
    kinds = {
        "direct": lambda row: not _programs(row),
        "answered": lambda row: bool(_programs(row)) and row.messages[-1].role == "answer",
        "fields": lambda row: any(_reads_field(text) for text in _programs(row)),
        "failures": lambda row: any(_failed(message) for message in row.messages),
        "fixes": lambda row: _checks_what_it_wrote(row),
        "steps": lambda row: len(_programs(row)) > 1,
    }
    return {name: sum(map(kind, rows)) / max(len(rows), 1) for name, kind in kinds.items()}


def _programs(row: Row) -> list[str]:
    return [message.text for message in row.messages if message.role == "program"]


def _failed(message: Message) -> bool:
    return message.role == "output" and (message.error is not None or bool(_FAILED.search(message.text)))


def result_fields() -> set[str]:
    """Names of the fields of all results of builtins."""
    registry = Registry()
    results = [registry[name].returns for name in registry.names]
    return {name for result in results if issubclass(result, Result) for name in result.model_fields}


_FIELDS = result_fields()


def _reads_field(text: str) -> bool:
    return any(isinstance(node, ast.Attribute) and node.attr in _FIELDS for node in _nodes([text]))


def _checks_what_it_wrote(row: Row) -> bool:
    # Calls in the order of the text are calls in the order of the run, for the programs that rows have.
    calls = [
        (place, node.lineno, node.col_offset, node.func.id)
        for place, text in enumerate(_programs(row))
        for node in _nodes([text])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    names = [name for *_, name in sorted(calls)]
    return "write_file" in names and any(name in _CHECKS for name in names[names.index("write_file") :])


def _nodes(texts: Iterable[str]) -> Iterator[ast.AST]:
    for text in texts:
        try:
            yield from ast.walk(ast.parse(text))
        except SyntaxError:
            continue
