"""`/good`, `/bad` and `/fix`: what the person says of the last turn, and the program as it should have been."""

from typing import TYPE_CHECKING, Literal

from punie_cli.agent.events import Event, Judged, Program, record
from punie_cli.agent.execute import run_program
from punie_cli.chat.commands import Command
from punie_cli.errors import PunieError, UsageError
from punie_cli.turns import Record, plain, program_steps, turn_records, verdict_of

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat


def last_turn(chat: "Chat") -> list[Record]:
    """The records of the last turn; UsageError before the first, PunieError where it was not stored."""
    turn = chat.recorder.turns
    if not turn:
        raise UsageError("there is no turn yet", 'ask something first, such as "typecheck src/"')
    records = turn_records(chat.recorder.session, turn)
    if not records:
        raise PunieError(f"turn {turn} is not in the store: this session is not kept", "punie doctor")
    return records


def _good(chat: "Chat", argument: str) -> None:
    _judge(chat, "good", argument)


def _bad(chat: "Chat", argument: str) -> None:
    records = _judge(chat, "bad", argument)
    if program_steps(records):
        chat.view.note("/fix opens its program in your editor, and keeps what you make of it")


def _judge(chat: "Chat", verdict: Literal["good", "bad"], why: str) -> list[Record]:
    records = last_turn(chat)
    before = verdict_of(records)
    chat.recorder.note(Judged(chat.recorder.turns, verdict, {"why": why or None}))
    replaced = f", no longer {before}" if before not in (None, verdict) else ""
    chat.view.note(f"turn {chat.recorder.turns} is {verdict}{replaced}{': ' if why else ''}{why}")
    return records


async def _fix(chat: "Chat", argument: str) -> None:
    # Only needed once a program is edited.
    from punie_cli.chat.editor import edit_text

    records = last_turn(chat)
    step, bad = _program(records, argument)
    journal = chat.agent.workspace.journal
    place = (chat.recorder.session, chat.recorder.turns)
    if journal is not None and journal.writes("session = ? AND turn = ? AND undone IS NULL", place):
        chat.view.note("what the turn wrote is still there, and the edited program starts from it; /undo takes it back")
    before = bad[0]["code"]
    while True:
        code = await edit_text(before, ".py")
        if code is None or code.strip() == bad[0]["code"].strip():
            chat.view.note("the program is as it was; nothing is kept")
            return
        done = await _run(chat, code)
        if done[-1]["error"] is None:
            break
        answer = await chat.reader.answer("The edited program failed. Edit it again? [y/n] ")
        if (answer or "").strip().lower() not in ("y", "yes"):
            chat.view.note("nothing is kept")
            return
        before = code
    prompt = next((each["text"] for each in records if each["type"] == "prompt"), None)
    details = {"prompt": prompt, "bad": {"step": step, "records": plain(bad)}, "fixed": {"records": done}}
    chat.recorder.note(Judged(chat.recorder.turns, "fixed", details))
    chat.view.note("kept: the program of the model and yours, each with its output; the model is not told")


def _program(records: list[Record], argument: str) -> tuple[int, list[Record]]:
    """The step that was asked for, else the last one with a program, and its records."""
    steps = program_steps(records)
    if not steps:
        raise UsageError("the last turn ran no program", "/bad WHY")
    if not argument:
        return max(steps), steps[max(steps)]
    if not argument.isdecimal() or int(argument) not in steps:
        there = ", ".join(map(str, steps))
        raise UsageError(f"the last turn has no program of step '{argument}'; there are: {there}", f"/fix {max(steps)}")
    return int(argument), steps[int(argument)]


async def _run(chat: "Chat", code: str) -> list[Record]:
    """Run a program as a turn would, with the same approvals; its records, the output last."""
    agent, found = chat.agent, []

    def note(event: Event) -> None:
        chat.view.show(event)
        found.append(record(event))

    try:
        note(Program(code))
        async with await agent.sandbox.turn() as worker:
            await run_program(code, worker, agent.registry, agent.workspace, note)
    finally:
        chat.view.idle()
    return [each for each in found if each is not None]


COMMANDS = (
    Command("/good", "the last turn was right; WORD says what of it", _good, "[WORD]"),
    Command("/bad", "the last turn was wrong; WHY says how", _bad, "[WHY]"),
    Command("/fix", "open the program of the last turn, or of STEP, in $EDITOR, run it, keep both", _fix, "[STEP]"),
)
