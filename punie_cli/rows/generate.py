"""Rows from intents: every program runs in the sandbox, on the files of a generated project, and its output is kept."""

import asyncio
import tempfile
import tomllib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from random import Random

from punie_cli.agent.execute import as_message, run_program
from punie_cli.agent.messages import Message, answer, user
from punie_cli.approvals import Decision, Question, no_terminal
from punie_cli.builtins.registry import Registry
from punie_cli.paths import shipped
from punie_cli.rows import names
from punie_cli.rows.intents import Declared, Unsuitable, groups
from punie_cli.rows.projects import Project, make_project
from punie_cli.rows.row import Row, normalise
from punie_cli.sandbox.host import Sandbox
from punie_cli.workspace import Workspace

REFUSED_SHARE = 0.12
TAIL_SHARE = 0.1
TWO_TURN_SHARE = 0.06
# Names no file: the check then fails as it does on a machine without ty.
_NO_TY = Path("/usr/local/bin/ty-is-not-here")

_TAILS = [
    "Use {n} spaces for indentation.",
    "Tests live in {word}/; run them before a release.",
    "The {word} module is generated: leave it alone.",
    "Maintainer: {word}. Branches are named {word}-NUMBER.",
    "Keep functions short. Public functions need docstrings.",
    "Line length is {n}0. Imports are sorted.",
    "Do not touch {word}.toml without asking.",
]


async def generate(
    wanted: dict[str, int],
    seed: int,
    held_out: Iterable[str],
    note: Callable[[int, int], None] = lambda done, of: None,
) -> list[Row]:
    """Rows for each group of intents, in a seeded order; the same seed and the same ty give the same rows.

    `held_out` are questions that no row may ask. `note(done, of)` is called after each row.
    """
    blocked = {normalise(q) for q in held_out}
    seen = set(blocked)
    rows: list[Row] = []
    total = sum(wanted.values())
    async with Sandbox(Registry().specs()) as sandbox:
        for group, number in wanted.items():
            maker = _direct(number, seed) if group == "direct" else _scripted(group, number, seed, sandbox, blocked)
            kept = 0
            async for row in maker:
                if any(question in seen for question in row.questions):
                    continue
                seen.update(row.questions)
                rows.append(row)
                kept += 1
                note(len(rows), total)
                if kept == number:
                    break
    Random(f"order-{seed}").shuffle(rows)
    return rows


async def _direct(number: int, seed: int) -> AsyncIterator[Row]:
    """Questions that need no program: each wording at most once, all pairs before a second wording of one."""
    with shipped("rows", "direct.toml").open("rb") as file:
        pairs = tomllib.load(file)["pair"]
    rng = Random(f"direct-{seed}")
    rng.shuffle(pairs)
    for turn in range(max(len(pair["questions"]) for pair in pairs)):
        for pair in pairs:
            if turn < len(pair["questions"]):
                messages = (user(pair["questions"][turn]), answer(pair["answer"]))
                yield Row(source="direct", intent=f"direct-{pair['topic']}", project="", messages=messages)


async def _scripted(group: str, number: int, seed: int, sandbox: Sandbox, blocked: set[str]) -> AsyncIterator[Row]:
    known = groups()[group]
    for attempt in range(number * 12):
        rng = Random(f"{group}-{seed}-{attempt}")
        project = make_project(rng.randrange(10**9))
        turns = 2 if rng.random() < TWO_TURN_SHARE and group not in ("fix", "find") else 1
        chosen = rng.choices(known, [d.weight for d in known], k=turns)
        tail = (
            rng.choice(_TAILS).format(word=names.word(rng), n=rng.randint(2, 9)) if rng.random() < TAIL_SHARE else None
        )
        try:
            messages = await _run(chosen, project, rng, sandbox)
        except Unsuitable:
            continue
        yield Row(
            source=group,
            intent="+".join(d.name for d in chosen),
            project=project.name,
            messages=tuple(messages),
            tail=tail,
        )


async def _run(chosen: list[Declared], project: Project, rng: Random, sandbox: Sandbox) -> list[Message]:
    """Play the scripts of one conversation; each program runs for real."""
    roll = rng.random()

    async def person(question: Question) -> Decision:
        return Decision(allowed=roll >= REFUSED_SHARE, by="person")

    # Half of the refusals are by a person, half because nobody is there.
    approver = no_terminal() if roll < REFUSED_SHARE / 2 else person

    messages: list[Message] = []
    registry = Registry()
    with tempfile.TemporaryDirectory(prefix="punie-rows-") as folder:
        root = Path(folder) / project.name
        await asyncio.to_thread(project.write, root)
        for declared in chosen:
            workspace = Workspace(root, approver, ty=_NO_TY if declared.name == "check-tool-failed" else None)
            script = declared.script(project, rng)
            async with await sandbox.turn() as turn:
                reply = None
                while True:
                    try:
                        message = next(script) if reply is None else script.send(reply)
                    except StopIteration:
                        break
                    messages.append(message)
                    reply = message
                    if message.role == "program":
                        reply = as_message(await run_program(message.text, turn, registry, workspace))
                        if reply.error and reply.error.startswith(("PolicyError", "LimitError", "SyntaxError")):
                            raise AssertionError(f"{declared.name}: {reply.error}")
                        messages.append(reply)
    return messages
