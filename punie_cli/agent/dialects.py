"""How a program and an output are written for one family of models, and read back.

    tags     <code>, the program, </code>, each tag alone on its line: for models without a tool-call format
    native   one tool, `execute_code(code)`, in the model's own tool-call format, read back by mlx_lm's parser

Both escape what would be taken for a tag, so that `parse(render(step)) == step` for every program and answer.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from punie_cli.agent.messages import Message

Name = Literal["tags", "native"]

EXECUTE_CODE: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "execute_code",
        "description": "Run a Python program and return what it prints.",
        "parameters": {
            "type": "object",
            "properties": {"code": {"type": "string", "description": "the program"}},
            "required": ["code"],
        },
    },
}


@dataclass(frozen=True)
class Step:
    """One reply of the model, read: a program, or the answer. `closed` is False where the end tag is missing."""

    kind: Literal["program", "answer"]
    text: str
    closed: bool = True


class Escape:
    """Puts a backslash behind the first character of each guarded text; `undo` takes it away again."""

    def __init__(self, guarded: Iterable[str]) -> None:
        texts = sorted({t for t in guarded if len(t) > 1}, key=lambda t: (-len(t), t))
        either = "|".join(f"{re.escape(t[0])}\\\\*{re.escape(t[1:])}" for t in texts)
        self._pattern = re.compile(either) if texts else None

    def __call__(self, text: str) -> str:
        """`<|im_end|>` → `<\\|im_end|>`, and one backslash more where there are some already."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda m: m[0][0] + "\\" + m[0][1:], text)

    def undo(self, text: str) -> str:
        """The text that was escaped; text that never was comes back as it is."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda m: m[0][0] + m[0][1:].removeprefix("\\"), text)


# A tag counts when it stands alone on its line, whatever white space is around it.
_TAG_LINE = re.compile(r"^(\s*)(\\*)(</?(?:code|output)>\s*)$")


def _escape_line(line: str) -> str:
    return _TAG_LINE.sub(r"\1\\\2\3", line)


def _unescape_line(line: str) -> str:
    match = _TAG_LINE.match(line)
    return match[1] + match[2][1:] + match[3] if match else line


def _each_line(change: Callable[[str], str], text: str) -> str:
    return "\n".join(change(line) for line in text.split("\n"))


def output_body(message: Message) -> str:
    """What the model reads of an output: the text, then the error on a line of its own."""
    if message.error is None:
        return message.text.rstrip("\n") or "(no output)"
    text = message.text.rstrip("\n")
    return f"{text}\nError: {message.error}" if text else f"Error: {message.error}"


class Tags:
    """The `tags` dialect. Texts that the tokenizer takes for special tokens are escaped too."""

    name: Name = "tags"
    tags: tuple[str, str] | None = ("<code>", "</code>")

    def __init__(self, special: Iterable[str] = ()) -> None:
        self._escape = Escape(special)

    def to_chat(self, message: Message) -> dict[str, Any]:
        """The message as a chat template wants it: an output is the user's turn."""
        if message.role == "output":
            return {"role": "user", "content": self._wrap("output", output_body(message))}
        if message.role == "program":
            return {"role": "assistant", "content": self._wrap("code", message.text)}
        text = _each_line(_escape_line, self._escape(message.text))
        return {"role": "user" if message.role == "user" else "assistant", "content": text}

    def _wrap(self, tag: str, text: str) -> str:
        return f"<{tag}>\n{_each_line(_escape_line, self._escape(text))}\n</{tag}>"

    def parse(self, reply: str) -> Step:
        """Read a reply. Text before `<code>` and after `</code>` is dropped; an open program reaches to the end."""
        lines = reply.split("\n")
        tags = [line.strip() for line in lines]
        if "<code>" not in tags:
            return Step("answer", self._unescape(lines))
        start = tags.index("<code>") + 1
        closed = "</code>" in tags[start:]
        end = tags.index("</code>", start) if closed else len(lines)
        return Step("program", self._unescape(lines[start:end]), closed)

    def begun(self, reply: str) -> list[str] | None:
        """The finished lines of a program that is being written; None while there is none."""
        step = self.parse(reply)
        if step.kind == "answer":
            return None
        lines = step.text.split("\n")
        return lines if step.closed else lines[:-1]

    def _unescape(self, lines: list[str]) -> str:
        return self._escape.undo("\n".join(_unescape_line(line) for line in lines))


class Native:
    """The `native` dialect over a chat template with tools and the tool parser that mlx_lm infers from it."""

    name: Name = "native"

    def __init__(
        self,
        parser: Callable[[str, list[dict[str, Any]]], Any],
        start: str,
        end: str,
        special: Iterable[str] = (),
    ) -> None:
        self._parser, self._start, self._end = parser, start, end or ""
        markers = ["<parameter=", "</parameter>", "<function=", "</function>", start, self._end]
        self._escape = Escape([*special, *markers])
        self.tags = _xml_tags(parser)

    def to_chat(self, message: Message) -> dict[str, Any]:
        """The message as a chat template with tools wants it."""
        if message.role == "output":
            return {"role": "tool", "name": "execute_code", "content": self._escape(output_body(message))}
        if message.role == "program":
            function = {"name": "execute_code", "arguments": {"code": self._code(message.text)}}
            return {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"type": "function", "function": function}],
            }
        return {
            "role": "user" if message.role == "user" else "assistant",
            "content": self._escape(message.text),
        }

    def _code(self, text: str) -> str:
        # A bare `null` is read back as None by mlx_lm's XML parsers.
        escaped = self._escape(text)
        return "\\" + escaped if re.fullmatch(r"\\*null", escaped, re.IGNORECASE) else escaped

    def parse(self, reply: str) -> Step:
        """Read a reply. A call that the parser cannot read is given back as an answer, which the user sees."""
        start = reply.find(self._start)
        if start < 0:
            return Step("answer", self._escape.undo(reply))
        body = reply[start + len(self._start) :]
        end = body.find(self._end) if self._end else len(body)
        closed = end >= 0
        try:
            call = self._parser(body[:end].strip() if closed else body.strip(), [EXECUTE_CODE])
            call = call[0] if isinstance(call, list) else call
            code = call["arguments"]["code"]
        except Exception:  # parsers of several families, each with its own errors
            return Step("answer", reply, closed=False)
        code = code if isinstance(code, str) else str(code)
        if re.fullmatch(r"\\+null", code, re.IGNORECASE):
            code = code[1:]
        return Step("program", self._escape.undo(code), closed)

    def begun(self, reply: str) -> list[str] | None:
        """The finished lines of a program that is being written; None while there is none, or they cannot be told."""
        lines = reply.split("\n")[:-1]
        if self.tags is None or self._start not in reply or self.tags[0] not in lines:
            return None
        lines = lines[lines.index(self.tags[0]) + 1 :]
        if self.tags[1] in lines:
            lines = lines[: lines.index(self.tags[1])]
        return [self._escape.undo(line) for line in lines]


def _xml_tags(parser: Callable[[str, list[dict[str, Any]]], Any]) -> tuple[str, str] | None:
    """The lines around the code, if the parser reads it from lines of its own; None for code inside of JSON."""
    first, last = "<parameter=code>", "</parameter>"
    try:
        call = parser(f"<function=execute_code>\n{first}\nif a:\n    b\n{last}\n</function>", [EXECUTE_CODE])
        call = call[0] if isinstance(call, list) else call
        return (first, last) if call["arguments"]["code"].strip() == "if a:\n    b" else None
    except Exception:  # as above
        return None


Dialect = Tags | Native
