"""Conversations as chat messages, for other trainers and from elsewhere.

    tagged    programs and outputs between tags (`<code>`, `<output>`) in plain text, as the `tags` dialect has them
    calls     programs are calls of the tool `execute_code`, outputs are its results

Reading is lenient where nothing is lost and says what it left out. Raises FormatError, which knows no file or line.
"""

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from punie_cli.agent.dialects import Tags, output_body
from punie_cli.agent.messages import Message, answer, output, program, user

Style = Literal["tagged", "calls"]
ROLES = ("user", "assistant", "system", "tool", "developer")
_KEYS = ("role", "content", "tool_calls", "tool_call_id", "name")
_TAGS = Tags()
_ERROR = re.compile(r"(?:\A|\n)Error: (?=[A-Z]\w*: )")


class FormatError(Exception):
    """A line that is a row in no form, or not a whole one."""


@dataclass(frozen=True)
class Note:
    """Something that reading left out or made up for: `kind` is `system`, `preamble` or `field`."""

    kind: Literal["system", "preamble", "field"]
    text: str


@dataclass(frozen=True)
class Conversation:
    """Messages in neutral form, and what was left out on the way."""

    messages: tuple[Message, ...]
    notes: tuple[Note, ...]


def unknown(name: object, known: Sequence[str]) -> str:
    """`unknown field 'x'`, with the nearest known name where there is one."""
    near = difflib.get_close_matches(str(name), known, 1)
    return f"unknown field {str(name)!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def write_chat(messages: Sequence[Message], style: Style) -> list[dict[str, Any]]:
    """One chat message for each message; `read_chat` gives them back but for the white space around outputs."""
    if style == "tagged":
        return [_TAGS.to_chat(message) for message in messages]
    chat: list[dict[str, Any]] = []
    calls = 0
    for message in messages:
        if message.role == "program":
            calls += 1
            function = {"name": "execute_code", "arguments": {"code": message.text}}
            call = {"id": _call_id(calls), "type": "function", "function": function}
            chat.append({"role": "assistant", "content": "", "tool_calls": [call]})
        elif message.role == "output":
            entry = {"role": "tool", "tool_call_id": _call_id(calls), "name": "execute_code"}
            chat.append(entry | {"content": output_body(message)})
        else:
            chat.append({"role": "user" if message.role == "user" else "assistant", "content": message.text})
    return chat


def _call_id(number: int) -> str:
    # Nine letters and digits: the templates of Mistral refuse any other id.
    return f"call{number:05d}"


def style_of(chat: Sequence[Any]) -> Style:
    """`calls` where a message has a tool call."""
    return "calls" if any(isinstance(m, dict) and m.get("tool_calls") for m in chat) else "tagged"


def read_chat(chat: Sequence[Any], style: Style, known_systems: Sequence[str] = ()) -> Conversation:
    """Read chat messages. System messages are left out with a note, unless they are among `known_systems`."""
    reader = _Reader(style, known_systems)
    for number, entry in enumerate(chat):
        try:
            reader.add(entry)
        except FormatError as problem:
            raise FormatError(f"messages.{number}: {problem}") from None
    reader.flush()
    return Conversation(tuple(reader.messages), tuple(reader.notes))


class _Reader:
    def __init__(self, style: Style, known_systems: Sequence[str]) -> None:
        self.messages: list[Message] = []
        self.notes: list[Note] = []
        self._style, self._known_systems = style, known_systems
        # Calls of one message, each with its id and its output: (id, code, output).
        self._calls: list[list[Any]] = []

    def add(self, entry: Any) -> None:
        if not isinstance(entry, dict):
            raise FormatError("not an object")
        self.notes += [Note("field", unknown(key, _KEYS)) for key in entry if key not in _KEYS]
        role, text = entry.get("role"), _content(entry)
        if role not in ("tool", "function"):
            self.flush()
        match role:
            case "system" | "developer":
                if text not in self._known_systems:
                    self.notes.append(Note("system", "a system message is left out"))
            case "user":
                self.messages.append(self._user(text))
            case "assistant":
                self._assistant(entry, text)
            case "tool" | "function":
                self._output(entry, text)
            case _:
                near = difflib.get_close_matches(str(role), ROLES, 1)
                raise FormatError(f"unknown role {role!r}" + (f"; did you mean {near[0]!r}?" if near else ""))

    def flush(self) -> None:
        """Calls and their outputs in turn, as a conversation of punie's has them."""
        for _, code, result in self._calls:
            self.messages.append(program(code))
            if result is not None:
                self.messages.append(result)
        self._calls = []

    def _user(self, text: str) -> Message:
        if self._style == "calls":
            return user(text)
        after_program = bool(self.messages) and self.messages[-1].role == "program"
        inner = re.fullmatch(r"\s*<output>\n(.*)\n</output>\s*", text, re.DOTALL) if after_program else None
        return _read_output(_unescape(inner[1])) if inner else user(_unescape(text))

    def _assistant(self, entry: Mapping[str, Any], text: str) -> None:
        calls = entry.get("tool_calls") or []
        if not isinstance(calls, list):
            raise FormatError("tool_calls is not a list")
        if calls:
            self._preamble(text)
            self._calls = [[call.get("id"), _code(call), None] for call in calls if _is_call(call)]
        elif entry.get("content") is None:
            raise FormatError("an assistant message without content or calls")
        elif self._style == "calls" or _TAGS.parse(text).kind == "answer":
            self.messages.append(answer(text if self._style == "calls" else _unescape(text)))
        else:
            lines = text.split("\n")
            tags = [line.strip() for line in lines]
            self._preamble("\n".join(lines[: tags.index("<code>")]))
            if "</code>" in tags:
                self._preamble("\n".join(lines[tags.index("</code>") + 1 :]), "after")
            self.messages.append(program(_TAGS.parse(text).text))

    def _preamble(self, text: str, where: str = "before") -> None:
        if text.strip():
            self.notes.append(Note("preamble", f"text {where} a program is left out: {_short(text)}"))

    def _output(self, entry: Mapping[str, Any], text: str) -> None:
        wanted = entry.get("tool_call_id")
        waiting = [call for call in self._calls if call[2] is None]
        call = next((c for c in waiting if wanted is not None and c[0] == wanted), waiting[0] if waiting else None)
        if call is None:
            self.messages.append(_read_output(text))
            return
        call[2] = _read_output(text)
        if len(waiting) == 1:
            self.flush()


def _content(entry: Mapping[str, Any]) -> str:
    """The text of a message; a list of parts is joined."""
    content = entry.get("content")
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        if all(isinstance(part, str) for part in parts):
            return "".join(parts)
        raise FormatError("content has a part that is not text")
    raise FormatError("content is not text")


def _is_call(call: Any) -> bool:
    if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
        raise FormatError("a tool call without a function")
    return True


def _code(call: Mapping[str, Any]) -> str:
    name, arguments = call["function"].get("name"), call["function"].get("arguments")
    if name != "execute_code":
        raise FormatError(f"calls {name!r}; the one tool is execute_code(code)")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError as problem:
            raise FormatError(f"the arguments of execute_code are not JSON: {problem}") from None
    code = arguments.get("code") if isinstance(arguments, dict) else None
    if not isinstance(code, str):
        raise FormatError("execute_code is called without code")
    return code


def _read_output(body: str) -> Message:
    """The output that reads so: what `print` would have left, and the error on the last lines."""
    if body == "(no output)":
        return output("")
    found = list(_ERROR.finditer(body))
    error = body[found[-1].end() :] if found else None
    text = body[: found[-1].start()] if found else body
    return output(f"{text}\n" if text and not text.endswith("\n") else text, error)


def _unescape(text: str) -> str:
    # A tag alone on its line was never written by the dialect: such a text is from elsewhere, and stays.
    step = _TAGS.parse(text)
    return step.text if step.kind == "answer" else text


def _short(text: str, limit: int = 60) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= limit else f"{line[:limit]}…")
