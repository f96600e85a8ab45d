"""`/resume`, `/fork`, `/rewind` and `/export`: the sessions of the store, taken up again and changed."""

from pathlib import Path
from typing import TYPE_CHECKING

from punie_cli import __version__, session_text, sessions
from punie_cli.agent.compact import Plan, turns_of
from punie_cli.agent.events import Event, Resumed, Rewound, Switched
from punie_cli.approvals import visible
from punie_cli.chat.commands import Command
from punie_cli.errors import MissingError, PunieError, UsageError
from punie_cli.holding import Hold
from punie_cli.recall import Recalled, Turn, recall
from punie_cli.session_text import turns_text

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat

_LISTED = 10
_OFFERED = 200
_TURNS_SHOWN = 2
_LINES_SHOWN = 6
_LINE_CHARS = 160
# Shorter beginnings of an id are words, too.
_ID_CHARS = 4


def take_up(chat: "Chat", session: str) -> None:
    """Go on with a session. One that is open in another chat is forked, up to its last finished turn."""
    hold, fork_of = Hold(session), None
    if not hold.take():
        fork_of = session
        session = _fork_of_open(session)
        hold = Hold(session)
        hold.take()
    try:
        recalled = recall(sessions.records(session))
        _go_on(chat, hold, recalled)
    except BaseException:
        hold.release()
        raise
    chat.forked = session if fork_of else None
    # A fork in which nothing will be said is not kept.
    chat.resumable = fork_of or session
    _tell(chat, sessions.find(session, chat.agent.workspace.root), recalled, fork_of)


def _fork_of_open(session: str) -> str:
    recalled = recall(sessions.records(session))
    cut = recalled.cut_off
    last = recalled.talk[-1].number if recalled.talk else 0
    if cut is not None and last == cut.number:
        last = recalled.talk[-2].number if len(recalled.talk) > 1 else 0
    # What the other chat is doing now has no end yet.
    return sessions.fork(session, last, cut.first if cut is not None else None)


def _go_on(chat: "Chat", hold: Hold, recalled: Recalled) -> None:
    agent, started = chat.agent, chat.started
    chat.renew()
    agent.messages = recalled.messages
    agent.plan = recalled.plan(agent.messages)
    if agent.notes is not None:
        before = agent.notes.system
        try:
            agent.notes.say(recalled.system)
        except UsageError as error:
            agent.notes.say(before)
            chat.view.error(f"the text of /system is left out: {error.message}")
        agent.tail = agent.notes.tail
    first: list[Event] = [Resumed(str(agent.workspace.root), __version__)]
    if (recalled.model, recalled.adapter, recalled.prompt_hash) != (
        started.model,
        started.adapter,
        started.prompt_hash,
    ):
        first.append(Switched(started.model, started.adapter, started.prompt_hash))
    chat.recorder.go_on(hold, recalled, first)


def _tell(chat: "Chat", session: sessions.Session, recalled: Recalled, fork_of: str | None) -> None:
    """Where the session is, and what is not as it was."""
    view = chat.view
    if fork_of is not None:
        view.note(f"session {fork_of} is open in another chat; this one goes on with a fork of it, {session.id}")
    asked = turns_text(len(recalled.talk))
    view.note(f"session {session.id}, {asked}, last used {session_text.when(session.updated)}")
    if len(recalled.talk) > _TURNS_SHOWN:
        view.note(f"… {turns_text(len(recalled.talk) - _TURNS_SHOWN)} before")
    for turn in recalled.talk[-_TURNS_SHOWN:]:
        _show(chat, turn)
    for line in _differences(chat, recalled):
        view.note(line)


def _show(chat: "Chat", turn: Turn) -> None:
    """A turn shortly: what was asked, how many programs ran, how the answer begins."""
    chat.view.note(f"> {_first_line(turn.prompt)}")
    programs = sum(message.role == "program" for message in turn.messages)
    if programs:
        chat.view.note(f"  ({programs} program{'' if programs == 1 else 's'})")
    # As it was shown, with the output in it.
    answers = [record["text"] for record in turn.records if record["type"] == "answer" and turn.state == "answered"]
    said = answers[0] if answers else turn.messages[-1].text
    lines = said.strip().split("\n")
    more = [f"… {len(lines) - _LINES_SHOWN} lines"] if len(lines) > _LINES_SHOWN else []
    chat.view.lines("\n".join([*(_cut(line) for line in lines[:_LINES_SHOWN]), *more]))


def _differences(chat: "Chat", recalled: Recalled) -> list[str]:
    found, started = [], chat.started
    cut = recalled.cut_off
    if cut is not None:
        kept = (
            "its finished steps are part of the conversation" if cut.messages else "it is no part of the conversation"
        )
        found.append(f"the last turn was cut off; {kept}: {_first_line(cut.prompt)}")
    elif recalled.turns and recalled.turns[-1].state in ("stopped", "failed") and not recalled.turns[-1].dropped:
        last = recalled.turns[-1]
        how = "was stopped" if last.state == "stopped" else "ended in an error"
        found.append(f"the last turn {how}; it is no part of the conversation: {_first_line(last.prompt)}")
    root = str(chat.agent.workspace.root)
    if recalled.root != root:
        gone = "" if Path(recalled.root).is_dir() else ", which is gone"
        found.append(f"the session worked in {recalled.root}{gone}; this chat works in {root}: files may differ")
    if (recalled.model, recalled.adapter) != (started.model, started.adapter):
        was = f"{recalled.model}, adapter {recalled.adapter or 'none'}"
        found.append(f"{was} answered so far; now {started.model}, adapter {started.adapter or 'none'} does (/model)")
    elif recalled.prompt_hash != started.prompt_hash:
        found.append(f"the prompt of {started.model} is another one than it was")
    if chat.agent.notes is not None and recalled.talk and chat.agent.tail != recalled.tail:
        found.append("AGENTS.md is not as it was; the model reads it as it is now")
    return found


def _resume(chat: "Chat", argument: str) -> None:
    root = chat.agent.workspace.root
    if not argument:
        _list(chat, sessions.recent(root, _LISTED, talks=True))
        return
    word = argument.split()[0]
    named = sessions.starting(word) if len(word) >= _ID_CHARS else []
    found = named if len(named) == 1 else sessions.search(argument, root, _LISTED, talks=True)
    if not found:
        raise MissingError(f"no session of this project has '{argument}'", "punie logs --all")
    if len(found) > 1:
        _list(chat, found)
        return
    (session,) = found
    if session.id == chat.recorder.session:
        raise UsageError(f"{session.id} is this session", "/resume")
    if not session.turns:
        raise UsageError(f"session {session.id} has no turn to go on with", f"punie logs show {session.id}")
    take_up(chat, session.id)


def _list(chat: "Chat", found: list[sessions.Session]) -> None:
    if not found:
        chat.view.note("this project has no session yet")
        return
    here = chat.recorder.session
    width = max(len(turns_text(session.turns)) for session in found)
    rows = (
        f"{session.id}{'*' if session.id == here else ' '} {session_text.when(session.updated)}  "
        f"{turns_text(session.turns):{width}}  {_cut(session_text.about(session))}\n"
        for session in found
    )
    chat.view.write("".join(rows))
    chat.view.note("/resume ID goes on with one of them" + ("; * is this session" if chat.recorder.begun else ""))


def _recent(chat: "Chat") -> list[str]:
    found = sessions.recent(chat.agent.workspace.root, _OFFERED, talks=True)
    return [f"{session.id} {session.title}" for session in found if session.id != chat.recorder.session]


def _fork(chat: "Chat", argument: str) -> None:
    recorder, old = chat.recorder, chat.recorder.session
    if not recorder.begun:
        raise UsageError("nothing was said yet that could be forked", "/resume")
    new = sessions.fork(old, recorder.talk[-1] if recorder.talk else 0)
    hold = Hold(new)
    hold.take()
    recorder.branch(hold)
    chat.standing.forget_session()
    chat.forked, chat.resumable = None, new
    chat.view.note(f"from here on this is session {new}; {old} stays as it is (/resume {old})")


def _rewind(chat: "Chat", argument: str) -> None:
    if argument and not (argument.isdecimal() and int(argument)):
        raise UsageError(f"'{argument}' is no number of turns", "/rewind 2")
    agent, recorder, count = chat.agent, chat.recorder, int(argument or "1")
    turns = turns_of(agent.messages)
    if not turns:
        raise UsageError("there is no turn to go back over", "/resume")
    if count > len(turns):
        raise UsageError(f"the conversation has {turns_text(len(turns))}, not {count}", f"/rewind {len(turns)}")
    if len(recorder.talk) != len(turns):
        raise PunieError("the turns of this session are not known: it is not kept", "/new")
    left = turns[: len(turns) - count]
    to = recorder.talk[len(left) - 1] if left else 0
    recorder.note(Rewound(count, to))
    agent.messages = [message for turn in left for message in turn]
    # What was told in lines may have room again.
    agent.plan = Plan()
    asked = _first_line(turns[len(left)][0].text)
    chat.view.note(f"{turns_text(count)} taken back, from: {asked}")
    chat.view.note(f"{turns_text(len(left))} left; files stay as they are (/undo), the store keeps everything")


def _export(chat: "Chat", argument: str) -> None:
    if not chat.recorder.begun:
        raise UsageError("nothing was said yet", "punie logs export SESSION")
    session = sessions.find(chat.recorder.session, chat.agent.workspace.root)
    text = session_text.markdown(session, recall(sessions.records(session.id)))
    chat.view.note(f"written to {session_text.write(text, Path(argument or f'punie-{session.id}.md'))}")


def _first_line(text: str) -> str:
    lines = visible(text.strip()).split("\n")
    return f"{_cut(lines[0])}{' …' if len(lines) > 1 else ''}"


def _cut(text: str) -> str:
    return text if len(text) <= _LINE_CHARS else f"{text[: _LINE_CHARS - 1].rstrip()}…"


COMMANDS = (
    Command("/resume", "list the sessions of this project, or go on with one", _resume, "[ID|TEXT]", _recent),
    Command("/fork", "go on in a new session; this one stays as it is", _fork),
    Command("/rewind", "take the last turn, or the last N, out of the conversation", _rewind, "[N]"),
    Command("/export", "write the conversation as Markdown", _export, "[FILE]"),
)
