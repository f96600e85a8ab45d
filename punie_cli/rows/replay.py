"""What a row's programs ran in, opened again; and its programs run again, to see whether they still print the same."""

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from punie_cli.agent.execute import as_message, run_program
from punie_cli.agent.messages import Message
from punie_cli.approvals import Approver, Decision, Question, no_terminal
from punie_cli.builtins.registry import Registry
from punie_cli.rows.projects import make_project
from punie_cli.rows.row import Row, Setting
from punie_cli.sandbox.host import Sandbox
from punie_cli.workspace import Workspace


@asynccontextmanager
async def open_setting(setting: Setting) -> AsyncGenerator[Workspace]:
    """A temporary copy of the files, with the approver that answered and without the tools that were missing."""
    project = make_project(setting.project) if setting.project is not None else None
    with tempfile.TemporaryDirectory(prefix="punie-rows-") as folder:
        root = Path(folder) / (project.name if project else "project")
        root.mkdir()
        for path, text in ((project.files if project else {}) | setting.files).items():
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        yield Workspace(root, _approver(setting), missing=setting.missing)


def _approver(setting: Setting) -> Approver:
    if setting.approval == "no-terminal":
        return no_terminal()

    async def person(question: Question) -> Decision:
        return Decision(allowed=setting.approval == "allowed", by="person")

    return person


async def replay(row: Row, sandbox: Sandbox) -> list[Message]:
    """The outputs of the row's programs, run again in order; a new worker for each turn, as when they were recorded.

    Raises ValueError for a row that has programs and does not say what they ran in.
    """
    if not any(message.role == "program" for message in row.messages):
        return []
    if row.setting is None:
        raise ValueError("the row does not say what its programs ran in")
    registry = Registry()
    outputs: list[Message] = []
    async with open_setting(row.setting) as workspace:
        for programs in _turns(row):
            async with await sandbox.turn() as turn:
                for text in programs:
                    outputs.append(as_message(await run_program(text, turn, registry, workspace)))
    return outputs


def _turns(row: Row) -> list[list[str]]:
    """The programs of each turn."""
    turns: list[list[str]] = []
    for message in row.messages:
        if message.role == "user" or not turns:
            turns.append([])
        if message.role == "program":
            turns[-1].append(message.text)
    return turns
