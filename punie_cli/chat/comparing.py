"""`/compare MODEL`: the last prompt once more, to the present model and to another one, each in a copy of the project.

Nothing of it reaches the project, the conversation or the undo journal; the choice is kept with both sides.
"""

import asyncio
import dataclasses
import tempfile
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from punie_cli.agent.events import Event, Failed, Judged, record
from punie_cli.agent.loop import Agent
from punie_cli.agent.messages import Message
from punie_cli.agent.open import choose, open_agent, reopen
from punie_cli.approvals import Approver, Decision, Question, visible
from punie_cli.chat.commands import Command
from punie_cli.chat.files import MAX_ENTRIES, list_project
from punie_cli.chat.sides import Side, show_sides
from punie_cli.chat.verdicts import last_turn
from punie_cli.errors import PunieError, UsageError
from punie_cli.find_tool import python_environment
from punie_cli.settings import Settings
from punie_cli.workspace import Workspace

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat

_CHOICES = {"1": "1", "2": "2", "same": "same", "s": "same", "neither": "neither", "n": "neither"}
_LISTED = 5


async def _compare(chat: "Chat", argument: str) -> None:
    other = _settings(chat, argument)
    prompt = next((each["text"] for each in last_turn(chat) if each["type"] == "prompt"), None)
    if prompt is None:
        raise UsageError("the last turn has no prompt", "ask something first")
    beside = await asyncio.to_thread(fits_beside, other)
    with tempfile.TemporaryDirectory(prefix="punie-compare-", ignore_cleanup_errors=True) as scratch:
        roots = await _copies(chat, Path(scratch))
        first = await _side(chat, chat.agent, roots[0], prompt)
        async with _other(chat, other, roots[1], beside) as agent:
            second = await _side(chat, agent, roots[1], prompt)
    show_sides(chat.view, (first, second))
    choice = await _choice(chat)
    if choice is None:
        chat.view.note("nothing is kept")
        return
    details = {"prompt": prompt, "choice": choice, "sides": [_kept(first), _kept(second)]}
    chat.recorder.note(Judged(chat.recorder.turns, "preferred", details))
    chat.view.note(f"kept: {_said(choice, first, second)}; the conversation goes on as if nothing was asked")


def _settings(chat: "Chat", argument: str) -> Settings:
    """The settings of the other model; `+ADAPTER` alone is another adapter on the present one."""
    model, _, adapter = argument.partition("+")
    model = model.strip() or (chat.started.model if adapter.strip() else "")
    if not model:
        raise UsageError("which model to compare with?", "punie models list")
    return chat.settings.model_copy(update={"model": model, "adapter": adapter.strip() or None})


def fits_beside(settings: Settings) -> bool:
    """Whether a model fits into the memory that is free now. Raises MissingError for one that is not there."""
    from punie_cli.models import room

    return room.need(choose(settings).model) < room.free()


async def _copies(chat: "Chat", scratch: Path) -> list[Path]:
    """Two copies of the project, as it was before the last turn wrote."""
    # Imports half of the rooms, which a talk does not need.
    from punie_cli.evaluation.scratch import copy_project

    root = chat.agent.workspace.root
    chat.view.busy("copying the project")
    files = await asyncio.to_thread(list_project, root)
    if len(files) >= MAX_ENTRIES:
        raise UsageError(
            f"{root} has {MAX_ENTRIES} files and folders or more: too many to copy", "cd into a part of it"
        )
    roots = [scratch / name / (root.name or "project") for name in ("1", "2")]
    for place in roots:
        copied = await asyncio.to_thread(copy_project, root, place, files)
        _before_turn(chat, place)
    if copied.left_out:
        shown = ", ".join(visible(path) for path in copied.left_out[:_LISTED])
        more = f" and {len(copied.left_out) - _LISTED} more" if len(copied.left_out) > _LISTED else ""
        chat.view.note(f"not in the copies: {shown}{more}")
    return roots


def _before_turn(chat: "Chat", place: Path) -> None:
    """Take back in a copy what the last turn wrote: the question is asked of the project as it then was."""
    from punie_cli.undo import changes_of

    if chat.agent.workspace.journal is None:
        return
    for change in changes_of(chat.agent.workspace.journal, chat.recorder.session, chat.recorder.turns):
        file = place / change.path
        if file.is_file() and not file.is_symlink() and file.read_bytes() == change.new:
            if change.old is None:
                file.unlink()
            else:
                file.write_bytes(change.old)


@asynccontextmanager
async def _other(chat: "Chat", settings: Settings, root: Path, beside: bool) -> AsyncGenerator[Agent]:
    """The agent of the other model; where both do not fit, the present one is given up meanwhile."""
    agent = chat.agent
    chat.view.busy(f"loading {settings.model}")
    if not beside:
        chat.view.note("both models do not fit into the memory at once: one is loaded after the other")
        await agent.engine.close()
    try:
        async with open_agent(settings, Workspace(root), chat.connect) as (other, _):
            other.tail = agent.tail
            yield other
    finally:
        chat.view.idle()
        if not beside:
            chat.view.busy(f"loading {chat.started.model}")
            await reopen(agent, chat.settings, chat.connect)
            chat.view.idle()


async def _side(chat: "Chat", agent: Agent, root: Path, prompt: str) -> Side:
    """One turn of `agent` in a copy."""
    from punie_cli.evaluation.scratch import difference, snapshot

    mine = chat.agent.workspace
    workspace = Workspace(
        root,
        _in_a_copy(mine.approver, agent.engine.name, chat.view.note),
        ty=mine.tools["ty"],
        ruff=mine.tools["ruff"],
        python=python_environment(mine),
        missing=mine.missing,
        enclosure=mine.enclosure,
    )
    agent = dataclasses.replace(agent, workspace=workspace, messages=_earlier(chat, prompt))
    before, events, start = snapshot(root), [], time.monotonic()
    chat.view.busy(f"{agent.engine.name} answers")
    try:
        async with aclosing(agent.turn(prompt)) as turn:
            async for event in turn:
                if record(event) is not None:
                    events.append(event)
    except PunieError as error:
        events.append(Failed(int(error.exit_code), error.message, error.hint))
    finally:
        chat.view.idle()
    seconds, engine = time.monotonic() - start, agent.engine
    diff = difference(before, snapshot(root))
    return Side(engine.name, engine.adapter, agent.renderer.core.hash, tuple(events), diff, seconds)


def _in_a_copy(person: Approver, model: str, note: Callable[[str], None]) -> Approver:
    """Writes are free in a copy. Tests run code of the project and of the model as the person: they are asked about."""

    async def decide(question: Question) -> Decision:
        if question.rule == "write":
            return Decision(True, "rule")
        if question.builtin == "test":
            note(f"in the copy of {model}:")
            return await person(question)
        return Decision(False, "rule", "a comparison runs tests, and commands that only read")

    return decide


def _earlier(chat: "Chat", prompt: str) -> list[Message]:
    """The conversation before the last prompt; a turn that failed is not in it anyway."""
    messages = chat.agent.messages
    last = next((n for n in range(len(messages) - 1, -1, -1) if messages[n].role == "user"), None)
    return messages[:last] if last is not None and messages[last].text == prompt else list(messages)


async def _choice(chat: "Chat") -> str | None:
    while True:
        answer = await chat.reader.answer("Which was better? [1/2/same/neither] ")
        word = (answer or "").strip().lower()
        if not word:
            return None
        if word in _CHOICES:
            return _CHOICES[word]
        chat.view.note("1: the present model · 2: the other one · same · neither · an empty line keeps nothing")


def _kept(side: Side) -> dict[str, Any]:
    records: list[Event] = list(side.events)
    return {
        "model": side.model,
        "adapter": side.adapter,
        "prompt_hash": side.prompt_hash,
        "records": [record(event) for event in records],
        "diff": side.diff,
        "tokens": side.tokens,
        "seconds": round(side.seconds, 3),
    }


def _said(choice: str, first: Side, second: Side) -> str:
    if choice in ("same", "neither"):
        return "both were the same" if choice == "same" else "neither was good"
    side = first if choice == "1" else second
    return f"{side.model}, adapter {side.adapter or 'none'}, was better"


def _models(chat: "Chat") -> list[str]:
    from punie_cli.models.store import list_models

    return [model.name for model in list_models()]


COMMANDS = (Command("/compare", "ask MODEL the last prompt, too, and choose", _compare, "MODEL[+ADAPTER]", _models),)
