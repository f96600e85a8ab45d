"""The stored records of one turn, for what looks back at it: verdicts, fixes, undo."""

import json
from typing import Any

from punie_cli.store import opened, session_file

Record = dict[str, Any]


def turn_records(session: str, turn: int) -> list[Record]:
    """The records of a turn in their order, as `--json` prints them; PunieError for a store that cannot be read."""
    if not session_file().exists():
        return []
    query = "SELECT json FROM records WHERE session = ? AND turn = ? ORDER BY n"
    with opened("read") as store:
        return [json.loads(line) for (line,) in store.execute(query, (session, turn))]


def program_steps(records: list[Record]) -> dict[int, list[Record]]:
    """The programs of a turn by their step: the program itself, approvals and calls, and the output if there is one."""
    found: dict[int, list[Record]] = {}
    for record in records:
        if record["type"] == "program":
            found[record["step"]] = [record]
        elif record["type"] in ("approval", "call", "output") and record["step"] in found:
            found[record["step"]].append(record)
    return found


def plain(records: list[Record]) -> list[Record]:
    """Records as parts of another one, which has their session."""
    return [{key: value for key, value in record.items() if key not in ("session", "step")} for record in records]


def verdict_of(records: list[Record]) -> str | None:
    """What was said of a turn last, good or bad; None for nothing."""
    said = [record["verdict"] for record in records if record["type"] == "verdict"]
    return next((verdict for verdict in reversed(said) if verdict in ("good", "bad")), None)


def ran_commands(records: list[Record]) -> bool:
    """Whether something ran that may have written: a command or a test, which had to be asked about."""
    # What only reads is never asked about.
    asked = [record for record in records if record["type"] == "approval" and record["decision"] == "allowed"]
    return any(record["builtin"] in ("run_command", "test") for record in asked)
