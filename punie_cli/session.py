"""What a session leaves behind: each event becomes one record, for the store and for `--json`."""

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from punie_cli import __version__
from punie_cli.agent.events import Answered, Event, Failed, Program, Prompted, Rewound, Started, Tailed, Used, record
from punie_cli.errors import PunieError
from punie_cli.holding import Hold
from punie_cli.journal import Place
from punie_cli.store import Store, new_session_id

if TYPE_CHECKING:
    from punie_cli.recall import Recalled


class Recorder:
    """Numbers the records of one session and passes each on as a line of JSON.

    A turn begins with its prompt, at step 0; each reply of the model begins the next step. Without a model the
    program is step 1. `sink` gets every line, with its line end left out. A session is held from its first record on.
    """

    def __init__(self, command: str, store: Store, sink: Callable[[str], None] | None = None) -> None:
        self.session = new_session_id()
        self.command = command
        self.turns = 0
        """The turn that the session is at; after a rewind the one that it went back to."""
        self.step = 0
        self.talk: list[int] = []
        """The turns of the conversation: those that were answered, and not taken back by a rewind."""
        # No number of a turn comes again.
        self._last = 0
        # Tells a turn that is gone on with in another process from what it was.
        self._mark = new_session_id()
        self._n = 0
        self._tail: str | None = None
        self._hold: Hold | None = None
        self._before: list[Event] = []
        self._store = store
        self._sink = sink

    def note(self, event: Event) -> None:
        """Keep the event, unless it is for the screen only."""
        fields = record(event)
        if fields is None:
            return
        before, self._before = self._before, []
        for each in before:
            self.note(each)
        match event:
            case Started():
                self._begin(event)
            case Prompted():
                self._last += 1
                self.turns = self._last
                self.step = 0
                self._mark = new_session_id()
            case Tailed():
                # It comes with each turn; only a change is told.
                if event.text == self._tail:
                    return
                self._tail = event.text
            case Answered() if event.finish != "cancelled":
                self.talk.append(self.turns)
            case Rewound():
                self.talk = [turn for turn in self.talk if turn <= event.to]
                self.turns, self.step, self._mark = event.to, 0, new_session_id()
            case Used():
                self.step += 1
            case Program() if self.step == 0:
                self.step = 1
        line = to_line(fields, self.session, self.step)
        row = {"session": self.session, "n": self._n, "turn": self.turns, "step": self.step}
        self._store.add_record(row | {"type": fields["type"], "json": line})
        self._n += 1
        if self._sink is not None:
            self._sink(line)

    def place(self) -> Place:
        """Where the session is now, for the undo journal."""
        return Place(self.session, self.turns, self.step, self._mark)

    def restart(self) -> None:
        """Go on as a new session; its first event must be Started."""
        self._release()
        self.session, self.turns, self.step, self.talk, self._last, self._n = new_session_id(), 0, 0, [], 0, 0
        self._mark, self._tail, self._before = new_session_id(), None, []

    def go_on(self, hold: Hold, recalled: "Recalled", before: Sequence[Event] = ()) -> None:
        """Go on with a session that is stored, and held by `hold`.

        `before` are records that come before the next one; without a next one the session stays as it is.
        """
        self.restart()
        self.session, self._hold = hold.session, hold
        self._n, self.turns, self._last, self._tail = recalled.next, recalled.turn, recalled.last, recalled.tail
        self.talk = [turn.number for turn in recalled.talk]
        self._before = list(before)

    def branch(self, hold: Hold) -> None:
        """Go on as the session of `hold`, which has the very records of this one."""
        self._release()
        self.session, self._hold, self._mark = hold.session, hold, new_session_id()

    @property
    def begun(self) -> bool:
        """Whether the session has a first record."""
        return self._n > 0

    def close(self) -> None:
        """Close the store, and let the session go."""
        self._store.close()
        self._release()

    def _release(self) -> None:
        if self._hold is not None:
            self._hold.release()
            self._hold = None

    def _begin(self, event: Started) -> None:
        self._hold = Hold(self.session)
        self._hold.take()
        self._store.add_session(
            {
                "id": self.session,
                "started": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": self.command,
                "punie": __version__,
                "model": event.model,
                "adapter": event.adapter,
                "prompt_hash": event.prompt_hash,
                "root": event.root,
            }
        )


def failed(error: PunieError) -> Failed:
    """The error as the last event of a session."""
    return Failed(int(error.exit_code), error.message, error.hint)


def to_line(fields: dict[str, Any], session: str | None, step: int) -> str:
    """One record as a line of JSON: `type`, `session`, `step`, then the rest."""
    ordered = {"type": fields["type"], "session": session, "step": step} | fields
    text = json.dumps(_plain(ordered), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, which a program may print.
        return json.dumps(_plain(ordered))
    return text


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: programs pass nan and dicts with any keys."""
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)
