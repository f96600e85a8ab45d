"""Pages of docs/ that are made from the program: `python -m punie_cli.docs` writes cli.md and settings.md."""

import sys
from pathlib import Path

import click

from punie_cli.chat.commands import COMMANDS
from punie_cli.chat.keys import KEYS
from punie_cli.cli import cli
from punie_cli.errors import Exit
from punie_cli.settings import Settings

_WIDTH = 100

_CLI = """# The command line

Made from the program by `python -m punie_cli.docs`; a test says when it is not current.

Answers and data go to stdout, everything else to stderr. `-` stands for stdin. A person is only asked when stdin and
stdout are both terminals. `NO_COLOR` and `--color never` switch colours off.

## Exit codes

| code | meaning |
|---|---|
"""

_MEANINGS = {
    Exit.OK: "done; for `ask` also an answer that reports errors, and one after a person said no",
    Exit.FAILED: "failed; for `ask` cut short by tokens, steps or a loop; for `exec` an exception, a limit or a kill",
    Exit.USAGE: "usage or configuration",
    Exit.MISSING: "a model, an adapter or a data set is missing, damaged or does not fit",
    Exit.BELOW_GATE: "a score below the gate",
    Exit.REFUSED: "refused: by the policy, by a person (`exec`), or because nobody was there to be asked",
    Exit.BUSY: "locked by another process, or short of memory: try later",
    Exit.INTERRUPTED: "interrupted by Ctrl-C or SIGTERM",
}

_SETTINGS = """# Settings

Made from the program by `python -m punie_cli.docs`; a test says when it is not current.

`config.toml` lies in the user's configuration folder (`~/.config/punie` on Linux, `~/Library/Application Support/punie`
on macOS, `$PUNIE_HOME/config` where that is set; `punie doctor` names it). Variables of the environment are stronger,
flags are the strongest. An unknown key is an error. Nothing is read from the folder that punie works in.

A model or an adapter that begins with `./`, `../`, `/` or `~` is a folder. A relative path in `config.toml` counts from
the folder of that file.

| key | variable | default | meaning |
|---|---|---|---|
"""


def cli_page() -> str:
    """docs/cli.md."""
    codes = "".join(f"| {code.value} | {text} |\n" for code, text in _MEANINGS.items())
    return f"{_CLI}{codes}\n" + "\n".join(_sections(cli, "punie", None)) + _chat_section()


def settings_page() -> str:
    """docs/settings.md."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default in (None, ()) else f"`{default}`"
        rows.append(f"| `{name}` | `PUNIE_{name.upper()}` | {shown} | {field.description} |\n")
    return _SETTINGS + "".join(rows)


def _sections(command: click.Command, name: str, parent: click.Context | None) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=_WIDTH, max_content_width=_WIDTH)
    context.help_option_names = cli.context_settings["help_option_names"]
    found = [f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found += _sections(command.commands[child], child, context)
    return found


def _chat_section() -> str:
    commands = "".join(f"| `{command.name}` | {command.doc} |\n" for command in COMMANDS)
    keys = "".join(f"| {key.label} | {key.doc} |\n" for key in KEYS)
    return f"\n## In a chat\n\n| command | meaning |\n|---|---|\n{commands}\n| key | meaning |\n|---|---|\n{keys}"


if __name__ == "__main__":
    folder = Path(__file__).resolve().parent.parent / "docs"
    for file, page in (("cli.md", cli_page()), ("settings.md", settings_page())):
        (folder / file).write_text(page, encoding="utf-8")
        sys.stdout.write(f"{folder / file}\n")
