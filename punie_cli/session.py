"""What a session leaves behind: each event becomes one record, for the store and for `--json`."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from punie_cli import __version__
from punie_cli.agent.events import Event, Failed, Program, Prompted, Started, Tailed, Used, record
from punie_cli.errors import PunieError
from punie_cli.journal import Place
from punie_cli.store import Store, new_session_id


class Recorder:
    """Numbers the records of one session and passes each on as a line of JSON.

    A turn begins with its prompt, at step 0; each reply of the model begins the next step. Without a model the
    program is step 1. `sink` gets every line, with its line end left out.
    """

    def __init__(self, command: str, store: Store, sink: Callable[[str], None] | None = None) -> None:
        self.session = new_session_id()
        self.command = command
        self.turns = 0
        self.step = 0
        # Unlike the number of a turn, which comes again after a rewind, it names one turn for good.
        self._mark = new_session_id()
        self._n = 0
        self._tail: str | None = None
        self._store = store
        self._sink = sink

    def note(self, event: Event) -> None:
        """Keep the event, unless it is for the screen only."""
        fields = record(event)
        if fields is None:
            return
        match event:
            case Started():
                self._begin(event)
            case Prompted():
                self.turns += 1
                self.step = 0
                self._mark = new_session_id()
            case Tailed():
                # It comes with each turn; only a change is told.
                if event.text == self._tail:
                    return
                self._tail = event.text
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
        self.session, self.turns, self.step, self._n = new_session_id(), 0, 0, 0
        self._tail = None

    @property
    def begun(self) -> bool:
        """Whether the session has a first record."""
        return self._n > 0

    def close(self) -> None:
        """Close the store."""
        self._store.close()

    def _begin(self, event: Started) -> None:
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
