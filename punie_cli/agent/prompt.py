"""The one renderer: messages → tokens, for talking, training and evaluating alike.

The prompt core is what an adapter was trained under. It is stored with the adapter, rendered from then on as it was,
and named by its hash. What belongs to one project (AGENTS.md, stubs of extra builtins) is the tail: it stands before
the first user message, outside the core and its hash.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict

from punie_cli.agent.dialects import EXECUTE_CODE, Dialect, Native, Step, Tags
from punie_cli.agent.dialects import Name as DialectName
from punie_cli.agent.messages import OUTPUT_LINE, Message, user
from punie_cli.builtins.registry import Registry, declared
from punie_cli.errors import MissingError

RENDERER_VERSION = 1

_SYSTEM = """\
You are punie, a coding agent in the user's project. Reply either with one Python program between {open} and {close}, \
or with the answer. A program acts; what it prints comes back to you. Answer from that output, or at once when the \
question needs no action; a line {output} in the answer stands for the last output. Programs have plain Python, json \
and these functions:
{stubs}"""


class Tokenizer(Protocol):
    """What the renderer needs of a tokenizer; mlx_lm's TokenizerWrapper has it."""

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]: ...
    def apply_chat_template(self, conversation: list[dict[str, Any]], **options: Any) -> Any: ...


class PromptCore(BaseModel):
    """System text, builtins with their signatures, dialect and renderer version: what an adapter is trained under."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = RENDERER_VERSION
    dialect: DialectName
    builtins: tuple[str, ...]
    signatures: dict[str, str]
    system: str

    @classmethod
    def build(cls, registry: Registry, dialect: DialectName) -> "PromptCore":
        """The core of today's punie for these builtins."""
        open_tag, close_tag = ("<code>", "</code>") if dialect == "tags" else ("a call of execute_code", "its end")
        system = _SYSTEM.format(open=open_tag, close=close_tag, output=OUTPUT_LINE, stubs=registry.stubs())
        if dialect == "native":
            system = system.replace(f"between {open_tag} and {close_tag}", f"in {open_tag}")
        return cls(dialect=dialect, builtins=registry.names, signatures=registry.signatures(), system=system)

    @cached_property
    def hash(self) -> str:
        """SHA-256 (hex) over the canonical JSON of the core; names it in sessions, adapters and caches."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def check(self, owner: str) -> Registry:
        """The registry of this core's builtins.

        Raises MissingError if one of them is gone or its signature no longer fits: a program that the adapter
        learned to write would fail.
        """
        known = declared()
        for name in self.builtins:
            if name not in known:
                raise MissingError(
                    f"{owner} was trained with the builtin {name!r}, which this punie does not have",
                    "punie train --phase 23",
                )
        registry = Registry(self.builtins)
        today = registry.signatures()
        for name in self.builtins:
            if today[name] != self.signatures.get(name):
                raise MissingError(
                    f"{owner} was trained with {self.signatures.get(name)!r}; {name!r} is now {today[name]!r}",
                    "punie train --phase 23",
                )
        if self.version > RENDERER_VERSION:
            raise MissingError(
                f"{owner} needs renderer version {self.version}; this punie has {RENDERER_VERSION}",
                "pip install --upgrade punie-cli",
            )
        return registry


@dataclass(frozen=True)
class Segment:
    """A piece of the rendered conversation that is tokenized on its own. `trained`: written by the model."""

    text: str
    trained: bool


class Renderer:
    """Renders conversations under one core with one tokenizer and its chat template.

    Segments (the core, what stands before a reply, the reply with its turn end) are tokenized one by one, so that
    the tokens before a reply are the same in a training row and at generation.
    """

    def __init__(self, core: PromptCore, tokenizer: Any) -> None:
        self.core = core
        self.tokenizer = tokenizer
        self.dialect = make_dialect(core.dialect, tokenizer)
        # Of the last conversation: its messages with the text up to each reply and behind it, and its tokens. The next
        # one mostly goes on from there, and would else be rendered once for each of its replies.
        self._known: list[tuple[dict[str, Any], str, str]] = []
        self._ids: dict[str, list[int]] = {}

    def segments(
        self, messages: Sequence[Message], *, tail: str | None = None, reply_next: bool = True
    ) -> list[Segment]:
        """The conversation in pieces, in order; with `reply_next` it ends where the model goes on.

        Raises ValueError if the chat template rewrites earlier turns, so that no prefix could be kept.
        """
        return list(self._segments(messages, tail, reply_next))

    def _segments(self, messages: Sequence[Message], tail: str | None, reply_next: bool) -> Iterator[Segment]:
        chat = self.chat(messages, tail=tail)
        done = self._core_text
        yield Segment(done, trained=False)
        known, now = self._known, []
        same = 0
        while same < min(len(known), len(messages)) and known[same][0] == chat[same + 1]:
            same += 1
        # chat[0] is the system message.
        for i, message in enumerate(messages, start=1):
            if not message.from_model:
                now.append((chat[i], "", ""))
                continue
            if i <= same:
                _, before, after = known[i - 1]
            else:
                before = self._template(chat[:i], reply_next=True)
                after = self._template(chat[: i + 1], reply_next=False)
            now.append((chat[i], before, after))
            if not (before.startswith(done) and after.startswith(before)):
                raise ValueError("the chat template of this model rewrites earlier turns")
            yield Segment(before[len(done) :], trained=False)
            # White space behind the turn end belongs to what follows: the model stops before it.
            reply = after[len(before) :].rstrip()
            yield Segment(reply, trained=True)
            done = before + reply
        self._known = now
        whole = self._template(chat, reply_next=reply_next)
        if not whole.startswith(done):
            raise ValueError("the chat template of this model rewrites earlier turns")
        if rest := whole[len(done) :]:
            yield Segment(rest, trained=False)

    def tokens(self, messages: Sequence[Message], *, tail: str | None = None) -> list[int]:
        """Token ids of the conversation up to where the model's next reply begins."""
        texts = [segment.text for segment in self.segments(messages, tail=tail)]
        known = self._ids
        self._ids = found = {text: known.get(text) or self._encode(text) for text in texts}
        return [token for text in texts for token in found[text]]

    def row(self, messages: Sequence[Message], *, tail: str | None = None) -> tuple[list[int], list[bool]]:
        """Token ids of a finished conversation, and for each whether it is trained on (the model wrote it)."""
        tokens: list[int] = []
        mask: list[bool] = []
        segments = self.segments(messages, tail=tail, reply_next=False)
        while segments and not segments[-1].trained:
            segments.pop()
        for segment in segments:
            ids = self._encode(segment.text)
            tokens += ids
            mask += [segment.trained] * len(ids)
        return tokens, mask

    def count(self, text: str) -> int:
        """Tokens of a text on its own."""
        return len(self._tokenized(text))

    @cached_property
    def core_tokens(self) -> list[int]:
        """Token ids that every conversation under this core begins with."""
        return self._tokenized(self._core_text)

    def chat(self, messages: Sequence[Message], *, tail: str | None = None) -> list[dict[str, Any]]:
        """The conversation as chat messages, system first; what an engine without our tokens gets."""
        chat = [{"role": "system", "content": self.core.system}]
        for message in messages:
            entry = self.dialect.to_chat(message)
            if tail and message.role == "user" and len(chat) == 1:
                # Files of a project are in it: nothing there may be taken for a mark of the chat.
                before = self.dialect.to_chat(user(tail))["content"]
                entry["content"] = f"<context>\n{before}\n</context>\n\n{entry['content']}"
            chat.append(entry)
        return chat

    def parse(self, reply: str) -> Step:
        """Read a reply of the model under this core's dialect."""
        return self.dialect.parse(reply)

    @cached_property
    def _core_text(self) -> str:
        mark = "punie-first-user-message"
        system = {"role": "system", "content": self.core.system}
        text = self._template([system, {"role": "user", "content": mark}], reply_next=False)
        return text[: text.index(mark)]

    def _template(self, chat: list[dict[str, Any]], *, reply_next: bool) -> str:
        options: dict[str, Any] = {"tokenize": False, "add_generation_prompt": reply_next}
        if self.core.dialect == "native":
            options["tools"] = [EXECUTE_CODE]
        # mlx_lm switches thinking on by itself where a template can: the same for training and talking here.
        return self.tokenizer.apply_chat_template(chat, enable_thinking=False, **options)

    def _encode(self, text: str) -> list[int]:
        # Every conversation begins with the core: of 300 tokens of a row it is the most.
        return list(self.core_tokens) if text is self._core_text else self._tokenized(text)

    def _tokenized(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False))


def make_dialect(name: DialectName, tokenizer: Any) -> Dialect:
    """The dialect for a tokenizer. Raises MissingError for `native` where mlx_lm knows no tool parser for it."""
    special = list(getattr(tokenizer, "all_special_tokens", []))
    if name == "tags":
        return Tags(special)
    if not getattr(tokenizer, "has_tool_calling", False):
        raise MissingError(
            "this model's chat template has no tool-call format that mlx_lm can read",
            "punie train --model NAME",
        )
    return Native(tokenizer.tool_parser, tokenizer.tool_call_start, tokenizer.tool_call_end, special)


def dialect_for(tokenizer: Any) -> DialectName:
    """`native` for models with a readable tool-call format, else `tags`."""
    return "native" if getattr(tokenizer, "has_tool_calling", False) else "tags"
