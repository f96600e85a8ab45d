"""Help texts: their form, that they are quick to show, and the docs pages made from them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from punie_cli import __version__
from punie_cli.chat_docs import chat_page
from punie_cli.cli import cli
from punie_cli.docs import cli_page
from punie_cli.paths import shipped
from punie_cli.settings import Settings
from tests.command_line import Ran, punie

# None of them may be imported to show a help text.
HEAVY = (
    "mlx", "mlx_lm", "transformers", "RestrictedPython", "huggingface_hub", "rich", "prompt_toolkit", "pydantic",
    "numpy", "psutil", "asyncio", "sqlite3",
)  # fmt: skip

_LOOK = """
import sys
from punie_cli.cli import run
code = run(sys.argv[1:])
heavy = {name.partition(".")[0] for name in sys.modules}
print(code, sorted(heavy & set(%r)), file=sys.stderr)
"""


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from commands(child, (*path, name))


ALL = dict(commands(cli))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_imports_nothing_heavy(path: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _LOOK % (HEAVY,), *path, "--help"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)},
    )
    assert done.stderr == "0 []\n"
    assert done.stdout.startswith(" ".join(["Usage: punie", *path]))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_begins_with_a_sentence_and_ends_with_examples(path: tuple[str, ...]) -> None:
    command = ALL[path]
    first = (command.help or "").partition("\n")[0]
    assert first.endswith(".") and first[0].isupper()
    head, *examples = (command.epilog or "").splitlines()[1:]
    assert head == "Examples:" and 1 <= len(examples) <= 3
    assert all("punie" in example for example in examples)


def test_defaults_in_help_are_those_of_the_settings() -> None:
    shown = {option.name: option.help for option in ALL[("ask",)].params if isinstance(option, click.Option)}
    for name in ("max_steps", "max_tokens"):
        assert (shown[name] or "").endswith(f"[default: {Settings.model_fields[name].default}]")


def test_version() -> None:
    assert punie("--version") == Ran(0, f"punie {__version__}\n", "")


def test_no_command_shows_the_help() -> None:
    ran = punie()
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr == punie("--help").stdout


def test_misspelt_command() -> None:
    ran = punie("aks", "hi")
    assert ran == Ran(2, "", "Error: No such command 'aks'. Did you mean 'ask'?\nTry: punie --help\n")


def test_page_is_current() -> None:
    folder = shipped().parent / "docs"
    for name, page in (("cli.md", cli_page()), ("chat.md", chat_page())):
        assert (folder / name).read_text(encoding="utf-8") == page, "run: python -m punie_cli.docs"
