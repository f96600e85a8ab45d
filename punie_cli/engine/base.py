"""What an engine is: it takes one rendered prompt and streams one reply.

An engine holds one model and answers one prompt at a time. Prompts and events are plain data, so that an
engine can move into another process unchanged. `MLXEngine` (mlx.py) uses the tokens; a remote engine uses the
messages.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from punie_cli.engine.names import Names

Finish = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class Prompt:
    """A conversation up to where the next reply begins, in both forms that engines read.

    `messages` is OpenAI style; `builtins` names what a program may call; `tokens` is the whole rendered
    prompt. `tags` open and close a program, each alone on its line: an engine may then look at its lines as they
    are written (lines.py); None where they cannot be read from the text. `names` are the paths that a program may
    name; None for any.
    """

    messages: list[dict[str, Any]]
    builtins: tuple[str, ...]
    tokens: list[int]
    tags: tuple[str, str] | None = None
    names: Names | None = None


@dataclass(frozen=True)
class Text:
    """A piece of the reply: whole characters only, never empty. All pieces together are `Reply.text`."""

    text: str


@dataclass(frozen=True)
class Usage:
    """What a reply cost. `cached_tokens` of the `prompt_tokens` were not read again.

    `first_token_s` counts from when the engine took the prompt; `tokens_per_s` is decoding alone, 0 for fewer
    than two tokens; `peak_gb` is the most memory MLX held since the engine opened; `dropped_tokens` were written
    and taken back, beside the `completion_tokens`, because no program could come of them.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    first_token_s: float = 0.0
    tokens_per_s: float = 0.0
    peak_gb: float = 0.0
    dropped_tokens: int = 0


@dataclass(frozen=True)
class Reply:
    """The end of a reply, always the last event.

    `tokens` is everything the model produced, with the end token when `finish` is "stop": the next prompt
    contains that token, too, and so the cache stays a prefix of it. `text` has no end token.
    """

    text: str
    tokens: list[int]
    finish: Finish
    usage: Usage = field(default_factory=Usage)


class Engine(Protocol):
    """One model that answers prompts. `adapter` is the name of its adapter, None without one."""

    @property
    def name(self) -> str: ...

    @property
    def adapter(self) -> str | None: ...

    def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncGenerator[Text | Reply]:
        """Stream the reply: pieces of text, then one Reply. Raises PunieError when it cannot answer.

        Closing the iterator ends the work on it.
        """
        ...

    def cancel(self) -> None:
        """End the replies under way with `finish="cancelled"`; from any thread."""
        ...

    async def close(self) -> None:
        """Give back the model's memory; a second call does nothing."""
        ...
