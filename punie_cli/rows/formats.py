"""Files of rows in any form, read one line at a time, and rows written for other trainers.

    punie        the row as punie has it: all fields
    messages     {"messages": [{"role", "content"}, …]}, programs and outputs between tags
    tools        {"messages": [… "tool_calls" …], "tools": […]}, programs as calls of execute_code
    completion   {"prompt": …, "completion": …}, one line for each reply of the model
    text         {"text": …}, the conversation under a chat template; nothing says what the model wrote in it

Each line may have its own form. `messages` and `tools` carry what they cannot say (source, family, setting, tail,
white space of outputs) in the text field `punie`, so that a row comes back as it was.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from jinja2 import TemplateError
from pydantic import ValidationError

from punie_cli.agent.dialects import EXECUTE_CODE
from punie_cli.agent.messages import Message, user
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.errors import MissingError, UsageError
from punie_cli.rows.chats import FormatError, Note, Style, read_chat, style_of, unknown, write_chat
from punie_cli.rows.row import Row, Setting

Form = Literal["punie", "messages", "tools", "completion", "text"]
FORMS: tuple[Form, ...] = ("punie", "messages", "tools", "completion", "text")

# What a renderer raises for a row that its chat template cannot hold.
UNRENDERED = (ValueError, TemplateError)

_TOP = ("messages", "prompt", "completion", "text", "tools", "punie")
_OWN = tuple(Row.model_fields)


@dataclass(frozen=True)
class Entry:
    """A row with its place. `raw` is the line as it stands, `notes` are what reading left out."""

    file: str
    line: int
    form: Form
    row: Row
    raw: str
    notes: tuple[Note, ...] = ()

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Broken:
    """A line that cannot be read; `kind` is `field` where the only fault is a field that no row has."""

    file: str
    line: int
    kind: Literal["format", "field"]
    text: str


def scan(path: Path) -> Iterator[Entry | Broken]:
    """Every line that is not blank. Raises MissingError without the file, UsageError where it cannot be read."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        raise MissingError(f"no rows at {path}", "punie data build --phase 23") from None
    except OSError as problem:
        raise UsageError(f"{path} cannot be read: {problem.strerror}") from None
    with file:
        # Only \n ends a line: bytes, because text files would also split at \r.
        for number, data in enumerate(file, start=1):
            if not data.strip():
                continue
            try:
                raw = data.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                row, form, notes = parse(raw)
            except UnicodeDecodeError:
                yield Broken(str(path), number, "format", "not text (UTF-8)")
            except UnknownField as problem:
                yield Broken(str(path), number, "field", str(problem))
            except FormatError as problem:
                yield Broken(str(path), number, "format", f"not a row: {problem}")
            else:
                yield Entry(str(path), number, form, row, raw, notes)


def read_entries(path: Path) -> Iterator[Entry]:
    """Every row of a file. Raises UsageError with file and line at the first line that is none."""
    for found in scan(path):
        if isinstance(found, Broken):
            raise UsageError(f"{found.file}:{found.line}: {found.text}", f"punie data check --no-run {path}")
        yield found


class UnknownField(FormatError):
    """A row of punie's own form with a field that no row has."""


def parse(line: str) -> tuple[Row, Form, tuple[Note, ...]]:
    """Read one line in whatever form it has. Raises FormatError."""
    try:
        return Row.model_validate_json(line), "punie", ()
    except ValidationError as problem:
        first = problem
    try:
        fields = json.loads(line)
        if "\\ud" in line.lower():
            # Half a pair is text for json, and could not be written again.
            json.dumps(fields, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise FormatError("half a surrogate pair") from None
    except (ValueError, RecursionError) as problem:
        raise FormatError(f"not JSON: {problem}") from None
    if not isinstance(fields, dict):
        raise FormatError("not a JSON object")
    if _is_own(fields):
        raise _own_problem(first)
    notes = tuple(Note("field", unknown(name, _TOP)) for name in fields if name not in _TOP)
    if "messages" in fields:
        return _read_messages(fields, notes)
    if "prompt" in fields and "completion" in fields:
        return _read_completion(fields["prompt"], fields["completion"], notes)
    if isinstance(fields.get("text"), str):
        return Row(source="text", intent="", project="", messages=(user(fields["text"]),)), "text", notes
    names = "messages, text, or prompt and completion"
    raise FormatError("; ".join([f"no {names}", *(note.text for note in notes[:1])]))


def _is_own(fields: dict[str, Any]) -> bool:
    if "punie" in fields:
        return False
    messages = fields.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    neutral = isinstance(first, dict) and "text" in first and "content" not in first
    return neutral or {"source", "intent"} <= fields.keys()


def _own_problem(problem: ValidationError) -> FormatError:
    errors = problem.errors()
    extra = [error for error in errors if error["type"] == "extra_forbidden"]
    if extra and len(extra) == len(errors):
        *above, name = extra[0]["loc"]
        table = Message.model_fields if "messages" in above else Setting.model_fields if "setting" in above else _OWN
        where = ".".join(map(str, above))
        return UnknownField(f"{where}: {unknown(name, tuple(table))}" if where else unknown(name, tuple(table)))
    first = next(error for error in errors if error["type"] != "extra_forbidden")
    return FormatError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}")


def _read_messages(fields: dict[str, Any], notes: tuple[Note, ...]) -> tuple[Row, Form, tuple[Note, ...]]:
    chat = fields["messages"]
    if not isinstance(chat, list):
        raise FormatError("messages is not a list")
    style: Style = "calls" if fields.get("tools") else style_of(chat)
    form: Form = "tools" if style == "calls" else "messages"
    kept = _read_kept(fields.get("punie"), form)
    exact = kept.pop("exact", {})
    start = next((i for i, m in enumerate(chat) if not (isinstance(m, dict) and m.get("role") == "system")), 0)
    if not _take_tail(chat, start, kept.get("tail")):
        kept.pop("tail", None)
    read = read_chat(chat, style, _systems())
    messages = list(read.messages)
    rest = chat[start:]
    for index, message in exact.items():
        # A text that was edited since wins over what was kept.
        if len(messages) == len(rest) > index and write_chat([message], style)[0]["content"] == rest[index]["content"]:
            messages[index] = message
    try:
        row = Row.model_validate({**kept, "messages": messages})
    except ValidationError as problem:
        error = problem.errors()[0]
        raise FormatError(f"punie.{'.'.join(map(str, error['loc']))}: {error['msg']}") from None
    return row, form, notes + read.notes


def _read_kept(text: Any, form: Form) -> dict[str, Any]:
    """What the field `punie` holds; without it, what a row from elsewhere has."""
    if text is None:
        return {"source": form, "intent": "", "project": ""}
    try:
        kept = json.loads(text)
        exact = kept.pop("exact", {})
        return kept | {"exact": {int(index): Message.model_validate(message) for index, message in exact.items()}}
    except (ValueError, TypeError, AttributeError) as problem:
        raise FormatError(f"the field punie cannot be read: {problem}") from None


def _take_tail(chat: list[Any], start: int, tail: str | None) -> bool:
    """Take the tail away from the first message where it stands there; False where it does not."""
    if tail is None:
        return False
    first = chat[start] if start < len(chat) else None
    if not isinstance(first, dict) or first.get("role") != "user":
        return True
    content, before = first.get("content"), _tail_text(tail)
    if not isinstance(content, str) or not content.startswith(before):
        # Said by the renderer only where something is said first.
        return False
    chat[start] = first | {"content": content.removeprefix(before)}
    return True


def _tail_text(tail: str) -> str:
    return f"<context>\n{tail}\n</context>\n\n"


def _read_completion(prompt: Any, completion: Any, notes: tuple[Note, ...]) -> tuple[Row, Form, tuple[Note, ...]]:
    chat = _as_chat(prompt, "user", "prompt") + _as_chat(completion, "assistant", "completion")
    read = read_chat(chat, style_of(chat), _systems())
    return (
        Row(source="completion", intent="", project="", messages=read.messages),
        "completion",
        notes + read.notes,
    )


def _as_chat(value: Any, role: str, name: str) -> list[Any]:
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if isinstance(value, list):
        return value
    raise FormatError(f"{name} is neither text nor a list of messages")


@cache
def _systems() -> tuple[str, str]:
    """The system texts that punie itself writes: for `messages` and for `tools`."""
    return _system("tagged"), _system("calls")


@cache
def _system(style: Style) -> str:
    return PromptCore.build(Registry(), "tags" if style == "tagged" else "native").system


class Writer:
    """Rows as lines of one form. `text` needs the renderer of a model."""

    def __init__(self, form: Form, renderer: Renderer | None = None) -> None:
        if form == "text" and renderer is None:
            raise ValueError("text is written with the chat template of a model")
        self.form, self._renderer = form, renderer

    def lines(self, entry: Entry) -> Iterator[str]:
        """The lines of a row, without line ends. Raises UsageError for a row of form `text` in any other form."""
        if entry.form == "text" and self.form != "text":
            raise UsageError(
                f"{entry.place}: a text has no turns, so that nobody can say what the model wrote in it",
                "--format text",
            )
        match self.form:
            case "punie":
                yield _json(entry.row.model_dump(exclude_defaults=True))
            case "messages":
                yield _json(_with_system(entry.row, "tagged"))
            case "tools":
                yield _json(_with_system(entry.row, "calls") | {"tools": [EXECUTE_CODE]})
            case "completion":
                yield from _completions(entry.row)
            case "text":
                yield entry.raw if entry.form == "text" else _json({"text": self._text(entry)})

    def _text(self, entry: Entry) -> str:
        assert self._renderer is not None
        try:
            segments = self._renderer.segments(entry.row.messages, tail=entry.row.tail, reply_next=False)
        except UNRENDERED as problem:
            raise UsageError(f"{entry.place}: {problem}", f"punie data check --no-run {entry.file}") from None
        return "".join(segment.text for segment in segments)


def _with_system(row: Row, style: Style) -> dict[str, Any]:
    chat = write_chat(row.messages, style)
    kept = row.model_dump(exclude_defaults=True, exclude={"messages"})
    recovered = read_chat(chat, style).messages
    exact = {
        str(i): message.model_dump(exclude_defaults=True)
        for i, message in enumerate(row.messages)
        if len(recovered) != len(row.messages) or recovered[i] != message
    }
    if exact:
        kept["exact"] = exact
    if row.tail is not None and chat and chat[0]["role"] == "user":
        chat[0] = chat[0] | {"content": _tail_text(row.tail) + chat[0]["content"]}
    # A text, because readers of tables want one type in a column.
    return {"messages": [{"role": "system", "content": _system(style)}, *chat], "punie": _json(kept)}


def _completions(row: Row) -> Iterator[str]:
    """One line for each reply: all that stands before it is the prompt."""
    chat = write_chat(row.messages, "tagged")
    before = _tail_text(row.tail) if row.tail is not None else ""
    for i, message in enumerate(row.messages):
        if message.from_model:
            prompt = before + "\n\n".join(entry["content"] for entry in chat[:i])
            yield _json({"prompt": prompt, "completion": chat[i]["content"]})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
