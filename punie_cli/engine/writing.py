"""A reply while it is written: what is known of it, and its events. `Decoder` writes one, `Together` several."""

import time
from dataclasses import dataclass, field
from typing import Any

import mlx.core as mx

from punie_cli.engine.base import Finish, Reply, Text, Usage
from punie_cli.engine.lines import Dead, LineCheck
from punie_cli.engine.text import Detokenizer


@dataclass(eq=False, kw_only=True)
class Writing:
    """One reply under way."""

    tokens: list[int]
    """The prompt."""
    limit: int
    tokenizer: Any
    lines: LineCheck
    cached: int = 0
    text: Detokenizer = field(init=False)
    produced: list[int] = field(default_factory=list)
    shown: int = 0
    banned: frozenset[int] = frozenset()
    """What the next token must not be; then it is the best of the others."""
    started: float = field(default_factory=time.perf_counter)
    first: float = 0.0
    last: float = 0.0

    def __post_init__(self) -> None:
        self.text = Detokenizer(self.tokenizer)

    @property
    def whole(self) -> list[int]:
        """The prompt and what is written of the reply."""
        return self.tokens + self.produced

    def add(self, token: int, *, ends: bool) -> str | Dead:
        """The text to show for a token; or Dead, when a line was taken back."""
        self.last = time.perf_counter()
        self.first = self.first or self.last
        self.produced.append(token)
        judged = self.lines.end(token, self.text.finish()) if ends else self.lines.add(token, self.text.add(token))
        if isinstance(judged, Dead):
            del self.produced[-judged.drop :]
            self.banned = judged.banned
            self.text = Detokenizer(self.tokenizer)
            for kept in self.produced:
                self.text.add(kept)
        else:
            self.shown += len(judged)
        return judged

    def end(self, finish: Finish) -> list[Text | Reply]:
        """The last events."""
        self.text.finish()
        piece, count = self.text.text[self.shown :], len(self.produced)
        written = count + self.lines.dropped
        usage = Usage(
            prompt_tokens=len(self.tokens),
            cached_tokens=self.cached,
            completion_tokens=count,
            first_token_s=round(self.first - self.started, 4) if self.first else 0.0,
            tokens_per_s=round((written - 1) / (self.last - self.first), 2) if self.last > self.first else 0.0,
            peak_gb=round(mx.get_peak_memory() / 1e9, 3),
            dropped_tokens=self.lines.dropped,
        )
        reply = Reply(self.text.text, self.produced, finish, usage)
        return [Text(piece), reply] if piece else [reply]


@dataclass(eq=False, kw_only=True)
class Place(Writing):
    """One of several replies that are written at the same time: first its prompt is read, then it is written."""

    temperature: float
    seed: int
    cache: list[Any]
    """Its own KV cache; empty while it stands in the batch."""
    held: int
    """How many tokens `cache` holds."""
    fresh: bool = True
    """The token that is fed next is known already: the last of the prompt, or of what stays of the reply."""
    alone: bool = False
    """Read by itself: beside others that failed."""
