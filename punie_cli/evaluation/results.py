"""Results of evaluations: what answered, what each case came to, and the store that keeps them.

    run = results.resolve("last")
    for run in results.list_runs(): ...

A case is kept the moment it ends: a run that was stopped has the cases that it got to, and goes on with the others.
"""

import contextlib
import difflib
import json
import re
import sqlite3
from collections.abc import Generator, Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from punie_cli.errors import BusyError, MissingError, PunieError
from punie_cli.session import to_line
from punie_cli.store import changing, open_store, session_file

_ID = re.compile(r"e(\d+)")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Verdict(_Strict):
    """One part of a case; `reason` says what was missing."""

    ok: bool
    reason: str = ""


class CaseRun(_Strict):
    """One sample of one case. `fields` is None where the case asks for no field access."""

    suite: str
    case: str
    group: str
    sample: int = 0
    fields_asked: bool = False
    passed: bool
    calls: Verdict
    files: Verdict
    answer: Verdict
    fields: bool | None = None
    reason: str
    prompts: tuple[str, ...]
    steps: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float
    diff: str = ""
    records: tuple[dict[str, Any], ...]

    @property
    def text(self) -> str:
        """The text of the last answer; empty if there was none."""
        return next((record["text"] for record in reversed(self.records) if record["type"] == "answer"), "")


class Subject(_Strict):
    """What answered, by path and by hash (SHA-256, hex). `bits` are those of one weight on disk, scales included."""

    model: str
    path: str
    weights: str
    adapter: str | None
    adapter_path: str | None
    adapter_hash: str | None
    prompt_hash: str | None
    phase: int | None
    bits: float | None

    @property
    def label(self) -> str:
        """A short name: `smollm2-135m + phase-24`, or the model's alone."""
        if self.adapter is None:
            return self.model
        # What ships with punie is named after its base, which says nothing.
        shipped = self.adapter == self.model and self.phase is not None
        return f"{self.model} + {f'phase-{self.phase}' if shipped else self.adapter}"


class EvalRun(_Strict):
    """One evaluation. `finished` is None while cases are missing; `only` names the cases that were chosen by name.

    `of` is the number of case runs that it comes to in the end, `seconds` the time of all its parts together.
    """

    id: str
    started: str
    finished: str | None
    subject: Subject
    suites: tuple[str, ...]
    suite_hashes: dict[str, str]
    samples: int
    temperature: float
    batch: int
    seconds: float
    versions: dict[str, str]
    limits: dict[str, int]
    cases: tuple[CaseRun, ...]
    only: tuple[str, ...] = ()
    of: int = 0
    sealed: tuple[str, ...] = ()

    @property
    def passed(self) -> int:
        return sum(case.passed for case in self.cases)


def save(run: EvalRun, key: str = "") -> EvalRun:
    """Add the run with the cases that it has, under the next free id; returns it with that id.

    `key` is what `find` looks for.
    """
    with _store() as store, changing(store):
        row = (key, run.started, run.finished, "")
        number = store.execute("INSERT INTO evals (key, started, finished, json) VALUES (?, ?, ?, ?)", row).lastrowid
        assert number is not None
        kept = run.model_copy(update={"id": f"e{number:04d}"})
        store.execute("UPDATE evals SET json = ? WHERE number = ?", (_head(kept), number))
        for n, case in enumerate(run.cases):
            _insert(store, number, n, case)
    return kept


def add_case(run: str, n: int, case: CaseRun, seconds: float) -> None:
    """Keep one case of a run, the `n`th in its order, and the time of the run so far; one that is there stays."""
    number = _number(run)
    with _store() as store, changing(store):
        _insert(store, number, n, case)
        changed = "UPDATE evals SET json = json_set(json, '$.seconds', ?) WHERE number = ?"
        store.execute(changed, (round(seconds, 2), number))


def drop(run: str, places: Iterable[int]) -> None:
    """Forget the cases of a run at these places: they are run again when it goes on."""
    number = _number(run)
    with _store() as store, changing(store):
        store.executemany("DELETE FROM eval_cases WHERE number = ? AND n = ?", [(number, n) for n in places])


def close(run: str, *, finished: str | None, seconds: float) -> EvalRun:
    """Note that a run has ended, or how long it has taken so far, where `finished` is None."""
    with _store() as store, changing(store):
        kept = _load(store, _number(run), records=False)
        head = _head(kept.model_copy(update={"finished": finished, "seconds": round(seconds, 2)}))
        row = (finished, head, _number(run))
        store.execute("UPDATE evals SET finished = ?, json = ? WHERE number = ?", row)
    return load(run)


def load(run: str) -> EvalRun:
    """A run by its id, with all records. Raises MissingError."""
    with _store() as store:
        return _load(store, _number(run))


def done(run: str) -> dict[int, CaseRun]:
    """The cases that a run has, by their place in its order."""
    with _store() as store:
        return dict(_cases(store, _number(run), records=True))


def find(key: str) -> list[EvalRun]:
    """Runs of this key, the newest first, without diffs and records."""
    with _store() as store:
        rows = store.execute("SELECT number FROM evals WHERE key = ? ORDER BY number DESC", (key,)).fetchall()
        return [_load(store, number, records=False) for (number,) in rows]


def list_runs() -> list[EvalRun]:
    """All runs, the oldest first, their cases without diffs and records (`load` has these)."""
    if not session_file().exists():
        return []
    with _store() as store:
        rows = store.execute("SELECT number FROM evals ORDER BY number").fetchall()
        return [_load(store, number, records=False) for (number,) in rows]


def resolve(name: str) -> EvalRun:
    """The run that `name` means: an id, `last`, or the newest finished one of a label, adapter, model or phase.

    Raises MissingError that names what is near.
    """
    runs = list_runs()
    if _ID.fullmatch(name):
        found = [run for run in runs if run.id == f"e{int(name[1:]):04d}"]
    else:
        ended = [run for run in runs if run.finished]
        # A base and what was trained on it share the model's name: the label is the stronger one.
        found = [run for run in ended if name in ("last", run.subject.label)]
        found = found or [run for run in ended if name in names_of(run.subject)]
    if found:
        return load(found[-1].id)
    if begun := [run.id for run in runs if name == "last" or name in names_of(run.subject)]:
        raise MissingError(
            f"no evaluation '{name}' has finished; {begun[-1]} is unfinished", f"punie eval show {begun[-1]}"
        )
    known = list(dict.fromkeys(n for run in reversed(runs) for n in (run.id, *names_of(run.subject))))
    near = difflib.get_close_matches(name, known, 3) or known[:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "there is none yet"
    raise MissingError(f"no evaluation '{name}': {hint}", "punie eval list" if runs else "punie eval")


def names_of(subject: Subject) -> tuple[str, ...]:
    """What a subject may be called by: label, adapter, model, number of its phase."""
    phase = None if subject.phase is None else str(subject.phase)
    names = (subject.label, subject.adapter, subject.model, phase, phase and f"phase-{phase}")
    return tuple(dict.fromkeys(name for name in names if name))


def _number(run: str) -> int:
    found = _ID.fullmatch(run)
    if not found:
        raise MissingError(f"'{run}' is no id of an evaluation, such as e0007", "punie eval list")
    return int(found[1])


def _head(run: EvalRun) -> str:
    return json.dumps(run.model_dump(exclude={"cases"}))


def _insert(store: sqlite3.Connection, number: int, n: int, case: CaseRun) -> None:
    head = json.dumps(case.model_dump(exclude={"diff", "records"}))
    # A file of a project may hold bytes that are no text.
    diff = case.diff.encode("utf-8", "backslashreplace").decode()
    lines = "".join(f"{_line(record)}\n" for record in case.records)
    store.execute("INSERT OR IGNORE INTO eval_cases VALUES (?, ?, ?, ?, ?)", (number, n, head, diff, lines))


def _line(record: dict[str, Any]) -> str:
    fields = json.loads(to_line(record, None, 0))
    return json.dumps({name: fields[name] for name in record})


def _load(store: sqlite3.Connection, number: int, *, records: bool = True) -> EvalRun:
    row = store.execute("SELECT json FROM evals WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise MissingError(f"no evaluation 'e{number:04d}'", "punie eval list")
    cases = [case for _, case in _cases(store, number, records=records)]
    try:
        return EvalRun.model_validate({**json.loads(row[0]), "cases": cases})
    except (ValueError, ValidationError) as error:
        raise PunieError(f"evaluation e{number:04d} in {session_file()} is damaged: {error}") from error


def _cases(store: sqlite3.Connection, number: int, *, records: bool) -> Iterable[tuple[int, CaseRun]]:
    columns = "n, json, diff, records" if records else "n, json, '', ''"
    rows = store.execute(f"SELECT {columns} FROM eval_cases WHERE number = ? ORDER BY n", (number,)).fetchall()
    try:
        for n, head, diff, lines in rows:
            fields = json.loads(head) | {"diff": diff, "records": [json.loads(line) for line in lines.splitlines()]}
            yield n, CaseRun.model_validate(fields)
    except (ValueError, ValidationError) as error:
        raise PunieError(f"a case of e{number:04d} in {session_file()} is damaged: {error}") from error


@contextlib.contextmanager
def _store() -> Generator[sqlite3.Connection]:
    path = session_file()
    try:
        store = open_store(path)
        try:
            yield store
        finally:
            store.close()
    except (sqlite3.Error, OSError) as error:
        kind = BusyError if "locked" in str(error) else PunieError
        raise kind(f"evaluations are kept in {path}, which fails: {error}", "punie doctor") from error
