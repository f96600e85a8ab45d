"""Rows from intents: every program runs in the sandbox, on the files of a generated project, and its output is kept."""

import asyncio
import re
import tomllib
from collections import deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator
from contextlib import aclosing
from itertools import islice
from random import Random

from punie_cli.agent.execute import as_message, run_program
from punie_cli.agent.messages import Message, answer, user
from punie_cli.builtins.registry import Registry
from punie_cli.paths import shipped
from punie_cli.rows import names
from punie_cli.rows.intents import Declared, Unsuitable, Voice, groups
from punie_cli.rows.near import HeldOut
from punie_cli.rows.project import Project
from punie_cli.rows.projects import FAILING, FURTHER, LOOKING, MENDING, RICHER, VALUES, make_project
from punie_cli.rows.replay import open_setting
from punie_cli.rows.row import Row, Setting, dump_rows, normalise
from punie_cli.sandbox.host import Sandbox

_WORD = re.compile(r"[A-Za-z_]\w*")
REFUSED_SHARE = 0.12
TAIL_SHARE = 0.1
TWO_TURN_SHARE = 0.06
# Rows that are made at the same time; their order does not depend on it.
PARALLEL = 6
# Projects that are tried for one row before another intent is drawn.
_TRIES = 12
# Where the seeds of a group's projects begin, which says of what kind they are; RICHER for those that are not named.
_FIRST_SEED = {
    **dict.fromkeys(("read", "command", "write", "typecheck-simple", "typecheck-fix", "typecheck-guided"), 0),
    **dict.fromkeys(("chain", "repair"), FURTHER),
    "whole": FAILING,
    "look": LOOKING,
    "exact": VALUES,
    "mending": MENDING,
}

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
    taken: Iterable[Row] = (),
    unknown: Collection[str] = frozenset(),
) -> list[Row]:
    """Rows for each group of intents, in a seeded order; the same seed and the same tools give the same rows.

    `held_out` are prompts that no row may ask, nor nearly (`near`); the questions of `taken` are not asked again.
    No row has one of the words `unknown`. `note(done, of)` is called after each row.
    """
    blocked = HeldOut(held_out)
    seen = {question for row in taken for question in row.questions}
    rows: list[Row] = []
    total = sum(wanted.values())
    async with Sandbox(Registry().specs()) as sandbox:
        for group, number in wanted.items():
            kept = 0
            async with aclosing(_made(group, number, seed, sandbox)) as maker:
                async for row in maker:
                    asked = row.questions
                    if kept == number:
                        break
                    if any(question in seen or blocked.nearest(question) for question in asked):
                        continue
                    if unknown and not words_of_row(row).isdisjoint(unknown):
                        continue
                    seen.update(asked)
                    rows.append(row)
                    kept += 1
                    note(len(rows), total)
    Random(f"order-{seed}").shuffle(rows)
    return rows


def words_of_row(row: Row) -> set[str]:
    """The names and words of a row, in its texts and about it."""
    # In JSON a line end would be the first letter of the word after it.
    return set(_WORD.findall(dump_rows([row]).replace("\\n", " ")))


async def _made(group: str, number: int, seed: int, sandbox: Sandbox) -> AsyncGenerator[Row]:
    """More rows of a group than are wanted, in a fixed order, a few at a time."""
    if group in direct_groups():
        for row in _direct(group, seed):
            yield row
        return
    known = groups()[group]
    work = (_scripted(group, known, seed, attempt, sandbox) for attempt in range(number * 12))
    running: deque[asyncio.Task[Row | None]] = deque()
    try:
        while True:
            running.extend(asyncio.create_task(one) for one in islice(work, PARALLEL - len(running)))
            if not running:
                return
            row = await running.popleft()
            if row:
                yield row
    finally:
        work.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def direct_groups() -> set[str]:
    """Groups of rows without programs; `typecheck-direct` is what concerns type checks alone."""
    return {"direct", "typecheck-direct", "knowledge", "talk"}


def _direct(group: str, seed: int) -> Iterator[Row]:
    """Questions that need no program: each wording at most once, all pairs before a second wording of one."""
    source = group if group in ("knowledge", "talk") else "direct"
    with shipped("rows", f"{source}.toml").open("rb") as file:
        pairs = tomllib.load(file)["pair"]
    if source == "direct":
        pairs = [pair for pair in pairs if (pair["topic"] == "typecheck") == (group == "typecheck-direct")]
    Random(f"{group}-{seed}").shuffle(pairs)
    for turn in range(max(len(pair["questions"]) for pair in pairs)):
        for pair in pairs:
            if turn < len(pair["questions"]):
                yield Row(
                    source=group,
                    intent=f"{source}-{pair['topic']}",
                    project="",
                    messages=(user(pair["questions"][turn]), answer(pair["answer"])),
                    family=f"{source}/{normalise(pair['questions'][0])}",
                )


async def _scripted(group: str, known: list[Declared], seed: int, attempt: int, sandbox: Sandbox) -> Row | None:
    """One row, or None if no project suits the intent that was drawn."""
    rng = Random(f"{group}-{seed}-{attempt}")
    chosen = rng.choices(known, [d.weight for d in known])
    if rng.random() < TWO_TURN_SHARE and not chosen[0].alone:
        chosen += rng.choices(known, [0 if d.alone else d.weight for d in known])
    roll = rng.random()
    # Half of the refusals are by a person, half because nobody is there.
    refused = rng.choice(("refused", "no-terminal"))
    approval = refused if chosen[0].refused or roll < REFUSED_SHARE else "allowed"
    tail = rng.choice(_TAILS).format(word=names.word(rng), n=rng.randint(2, 9)) if rng.random() < TAIL_SHARE else None
    for _ in range(_TRIES):
        number = rng.randrange(RICHER) + _FIRST_SEED.get(group, RICHER)
        setting = Setting(project=number, approval=approval, missing=chosen[0].missing)
        project = make_project(setting.project or 0)
        voice = Voice(rng.random())
        try:
            messages = await _play(chosen, project, voice, setting, sandbox)
        except Unsuitable:
            continue
        return Row(
            source=group,
            intent="+".join(d.name for d in chosen),
            project=project.name,
            messages=tuple(messages),
            tail=tail,
            family="+".join(voice.families),
            setting=setting,
        )
    return None


async def _play(
    chosen: list[Declared], project: Project, voice: Voice, setting: Setting, sandbox: Sandbox
) -> list[Message]:
    """Play the scripts of one conversation; each program runs for real."""
    messages: list[Message] = []
    registry = Registry()
    async with open_setting(setting) as workspace:
        for declared in chosen:
            voice.begin(declared.name)
            script = declared.script(project, voice)
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
