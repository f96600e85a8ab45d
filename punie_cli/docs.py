"""Pages of docs/ made from the program: `python -m punie_cli.docs` writes them all, but for builtins.md."""

import asyncio
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import click

from punie_cli.chat_docs import chat_page
from punie_cli.cli import cli
from punie_cli.errors import Exit
from punie_cli.paths import shipped
from punie_cli.sandbox.docs import sandbox_page
from punie_cli.sandbox.limitations import limitations_page
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

Settings come from five places; each is stronger than the ones before it:

1. `config.toml` in the user's configuration folder: `~/.config/punie` on Linux, `~/Library/Application Support/punie`
   on macOS, `$PUNIE_HOME/config` where that is set. `punie config path` names it.
2. `pyproject.toml` of the folder that is worked in, the table `[tool.punie]`.
3. `.punie/config.toml` of that folder.
4. Variables of the environment.
5. Flags.

`punie config show --origin` has every value with its place; `set`, `unset` and `edit` change a file and keep its
comments, `--project` means the one of the folder. An unknown key or a wrong value is an error that names its file.

A model or an adapter that begins with `./`, `../`, `/` or `~` is a folder. A relative path in the user's `config.toml`
counts from that file's folder, one in a project's file from the project's.

## Trust

Who clones a repository has not read its settings. So the files of a folder may at first only tighten: a stricter
`mode`, fewer `max_steps` and `max_tokens`, fewer words in `allow`, `check_programs = true`, `agents_md = false`. What
else they set is left out, and a note says so.

`punie config trust [--root DIR]` trusts a folder, `punie config untrust` ends it; `punie chat` asks once at a
terminal. The trust is kept in punie's data, by the real path of the folder and the hash of what its two files say to
punie: when that changes, it is asked again. A change of anything else in `pyproject.toml` does not matter.

Some things a project never sets, trusted or not: more in `allow`, and `ty`, `ruff`, `python`, `blas` or a command of
`notify` that lies in the project itself. The project's own `.venv` is used for imports and tests without any setting.
Stored rules (["always"](permissions.md)) are never read from a project.

A `pyproject.toml` that cannot be read is left out with a note, as punie may be what is to mend it; a
`.punie/config.toml` that cannot be is an error.

## All settings

| key | variable | default | meaning |
|---|---|---|---|
"""


_PHASES = """# Phases

Made from the program and the data that ships with it by `python -m punie_cli.docs`; a test says when it is not current.

A phase is a numbered recipe: where the rows come from, how a model is trained on them, and what follows. `punie train
--phase N` trains; `--through fuse|quantize|eval` goes on by itself ([Pipelines](pipeline.md)). `punie phases show N`
has every value with its source, `punie phases diff A B` what differs. A file `phases/NN.toml` below punie's data is a
phase of your own; with the number of a shipped one it takes its place.
"""

_RESULTS_HEAD = """| made | base | rows | steps | loss | training | size | bits per weight | suite | note | date |
|---|---|---|---|---|---|---|---|---|---|---|
"""


def cli_page() -> str:
    """docs/cli.md."""
    codes = "".join(f"| {code.value} | {text} |\n" for code, text in _MEANINGS.items())
    return f"{_CLI}{codes}\n" + "\n".join(_sections(cli, "punie", None))


def settings_page() -> str:
    """docs/settings.md."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default in (None, ()) else f"`{default}`"
        rows.append(f"| `{name}` | `PUNIE_{name.upper()}` | {shown} | {field.description} |\n")
    return _SETTINGS + "".join(rows)


def phases_page() -> str:
    """docs/phases.md: the shipped phases only, whatever this machine has."""
    from punie_cli.training.phase import make_phase
    from punie_cli.training.results import shipped_results

    results = shipped_results()
    parts = []
    for path in sorted(shipped("phases").glob("[0-9]*.toml"), key=lambda path: int(path.stem)):
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        phase = make_phase(content, path.name)
        parts += [f"\n## Phase {phase.number}: {phase.title}\n\n", _recipe(content), _rows(phase.number)]
        found = [result for result in results if result.phase == phase.number]
        parts.append(f"\n{_RESULTS_HEAD}{''.join(map(_result, found))}" if found else "\nNo result ships yet.\n")
    return _PHASES + "".join(parts)


def _recipe(content: dict[str, Any]) -> str:
    """What the file says; every other value is a default."""
    lines = ["| key | value |\n|---|---|\n"]
    for key, value in content.items():
        if not isinstance(value, dict):
            lines.append(f"| `{key}` | {_cell(value)} |\n" if key not in ("number", "title") else "")
            continue
        lines += [f"| `{key}.{name}` | {_cell(inner)} |\n" for name, inner in value.items()]
    return "".join(lines)


def _rows(number: int) -> str:
    try:
        manifest = json.loads(shipped("rows", f"phase-{number}", "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "\nThe rows do not ship; `punie data build` makes them.\n"
    sides, groups = manifest["sides"], manifest["groups"]
    lines = "".join(f"| {group} | {count} | {count / sum(groups.values()):.0%} |\n" for group, count in groups.items())
    split = ", ".join(f"{count} {side}" for side, count in sides.items())
    return f"\n{sum(sides.values())} rows: {split}.\n\n| category | rows | share |\n|---|---|---|\n{lines}"


def _result(result: Any) -> str:
    suite = f"{result.suite}: {result.passed} of {result.cases}" if result.suite else ""
    figures = (result.minutes, "min"), (result.size_mb, "MB")
    time, size = (f"{value:g} {unit}" if value is not None else "" for value, unit in figures)
    cells = (
        result.made, result.base, result.rows, result.steps, result.loss, time, size, result.bits, suite, result.note,
        result.date,
    )  # fmt: skip
    return "| " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |\n"


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_cell(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(_cell(inner) for inner in value)
    return str(value).replace("|", "\\|")


def _sections(command: click.Command, name: str, parent: click.Context | None) -> list[str]:
    context = click.Context(command, info_name=name, parent=parent, terminal_width=_WIDTH, max_content_width=_WIDTH)
    context.help_option_names = cli.context_settings["help_option_names"]
    found = [f"## {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n"]
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found += _sections(command.commands[child], child, context)
    return found


if __name__ == "__main__":
    folder = Path(__file__).resolve().parent.parent / "docs"
    pages = {
        "cli.md": cli_page(), "chat.md": chat_page(), "settings.md": settings_page(), "phases.md": phases_page(),
        "sandbox.md": sandbox_page(), "limitations.md": asyncio.run(limitations_page()),
    }  # fmt: skip
    for file, page in pages.items():
        (folder / file).write_text(page, encoding="utf-8")
        sys.stdout.write(f"{folder / file}\n")
