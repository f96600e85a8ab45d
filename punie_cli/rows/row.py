"""The row: one training example in neutral form, and files of rows (one JSON object a line)."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from punie_cli.agent.messages import Message
from punie_cli.errors import MissingError, UsageError


class Setting(BaseModel):
    """What the programs of a row ran in: enough to run them again and to get the same outputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project: int | None = None
    """Seed of the generated project (`projects.make_project`); None where `files` says it all."""
    files: dict[str, str] = {}
    """Text by path, on top of the generated project."""
    approval: Literal["allowed", "refused", "no-terminal"] = "allowed"
    """How every question about a write or a command was answered."""
    missing: tuple[str, ...] = ()
    """Tools that were not installed: "ty", "ruff", "pytest"."""


class Row(BaseModel):
    """A finished conversation and where it comes from. Outputs in it are recorded ones."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    """What made it: a generator, or a session."""
    intent: str
    project: str
    """Name of the project that its programs ran in; empty where there was no program."""
    messages: tuple[Message, ...]
    tail: str | None = None
    """What stood before the first user message, outside the prompt core."""
    family: str = ""
    """Phrasing family (`INTENT/FORM`): all rows of one are on one side of a split. Empty: the question is its own."""
    setting: Setting | None = None
    """Where its programs ran; None for a row without programs, or from elsewhere."""

    @property
    def questions(self) -> list[str]:
        """The user's messages, normalised."""
        return [normalise(m.text) for m in self.messages if m.role == "user"]

    @property
    def id(self) -> str:
        """First 16 hex digits of the SHA-256 over the row's content."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def normalise(question: str) -> str:
    """Lower case, single spaces, no quotes or punctuation at the edges of words: what makes two questions one."""
    words = re.findall(r"[\w./@*-]+", question.lower())
    return " ".join(stripped for word in words if (stripped := word.strip(".,-")))


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a JSON-lines file, one at a time. Raises UsageError with file and line on a line that is none."""
    try:
        file = path.open(encoding="utf-8")
    except FileNotFoundError:
        raise MissingError(f"no rows at {path}", "punie data build --phase 23") from None
    with file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                yield Row.model_validate_json(line.strip())
            except ValidationError as e:
                first = e.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                raise UsageError(f"{path}:{number}: not a row: {where}: {first['msg']}") from None


def dump_rows(rows: Iterable[Row]) -> str:
    """JSON lines, without the fields that have their default."""
    lines = (json.dumps(row.model_dump(exclude_defaults=True), ensure_ascii=False) for row in rows)
    return "".join(line + "\n" for line in lines)


def data_hash(rows: Iterable[Row]) -> str:
    """SHA-256 (hex) over the rows' ids in order: the data that a run was trained on."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(row.id.encode())
    return digest.hexdigest()
