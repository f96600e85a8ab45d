"""The reader of programs: finds the same paths as Python's own parser, in whatever pieces a program comes."""

import ast
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.agent.names import path_arguments
from punie_cli.builtins.registry import Registry
from punie_cli.engine.calls import Calls
from tests.rows import programs_of_rows

READERS = frozenset({"ls", "cat"})
ARGUMENTS = path_arguments(Registry())
KINDS = {argument.builtin: argument for argument in ARGUMENTS}
BY_PLACE = {(a.builtin, key): a for a in ARGUMENTS for key in (a.index, a.parameter)}


PROGRAMS = programs_of_rows()


def read(source: str, sizes: Iterator[int] | None = None) -> list[tuple[str, str]]:
    """The closed paths that the reader finds, by builtin."""
    calls, found = Calls(BY_PLACE, READERS), []
    while source:
        size = next(sizes) if sizes else len(source)
        calls = calls.copy()
        found += [(f.argument.builtin, f.text) for f in calls.read(source[:size]) if f.end is not None]
        source = source[size:]
    return found


def parsed(source: str) -> list[tuple[str, str]]:
    """The same from Python's own parser."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS):
            continue
        argument = KINDS[node.func.id]
        values = [*node.args[:1], *(k.value for k in node.keywords if k.arg == argument.parameter)]
        for value in values:
            items = [value]
            if argument.kind == "command":
                items = value.elts if isinstance(value, ast.List) else []
                first = items[0].value if items and isinstance(items[0], ast.Constant) else None
                items = items[1:] if first in READERS else []
            for item in items:
                segment = ast.get_source_segment(source, item) or ""
                if isinstance(item, ast.Constant) and isinstance(item.value, str) and segment[1:-1] == item.value:
                    found.append((argument.builtin, item.value))
    return sorted(found)


def test_the_paths_of_all_programs_of_the_rows_are_found():
    outside_of_texts = [source for source in PROGRAMS if "{" not in source]
    assert len(outside_of_texts) > 500
    assert sum(len(read(source)) for source in outside_of_texts) > 500
    for source in outside_of_texts:
        assert sorted(read(f"{source}\n")) == parsed(source)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('print(typecheck("src").error_count)', [("typecheck", "src")]),
        ("typecheck( path = 'src' )", [("typecheck", "src")]),
        ('test("a.py", )', [("test", "a.py")]),
        ('lint(\n    # "why"\n    "a.py"\n)', [("lint", "a.py")]),
        ('run_command(["ls", "-l", "a", b, "c"])', [("run_command", x) for x in ("-l", "a", "c")]),
        ('run_command(["grep", "x", "a"])', []),
        ('run_command("ls a")', []),
        ('lint(["ls", "a"])', []),
        ('write_file("a", "b")', [("write_file", "a")]),
        ('write_file(path="a", text="b")', [("write_file", "a")]),
        ('write_file(text="b", path="a")', [("write_file", "a")]),
        ('read_file("a" + b)', []),
        ('read_file("a" "b")', []),
        ('read_file("a".lower())', []),
        ('read_file("a" if b else "c")', []),
        ('read_file(f"a"), read_file(r"a"), read_file("a\\n")', [("read_file", "a\\n")]),
        ('read_file("""a"""), read_file(("a"))', []),
        ('read_file(x == "a"), read_file(x["a"]), read_file(path=="a")', []),
        ('re.test("a"); def test("a"); other("a")', []),
        ('x = "read_file(\'a\')" # read_file("a")', []),
        ('text = """\nread_file("a")\n"""\nread_file("b")', [("read_file", "b")]),
        ('x = "open\nread_file("b")', [("read_file", "b")]),
        ('read_file("")', [("read_file", "")]),
    ],
)
def test_paths_of_calls(source, found):
    assert read(source) == found


@given(st.sampled_from(PROGRAMS), st.lists(st.integers(1, 9), min_size=1))
def test_pieces_make_no_difference(program, sizes):
    def repeated() -> Iterator[int]:
        while True:
            yield from sizes

    assert read(f"{program}\n", repeated()) == read(f"{program}\n")


@given(st.text("a_ f(\"'[,)=.\\\n#]", max_size=60))
def test_the_reader_takes_anything(text):
    read(f"typecheck({text}")
