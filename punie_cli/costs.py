"""What a session has cost: tokens and seconds, by turn, from the usage records of the store."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields

from punie_cli.engine.base import Usage
from punie_cli.errors import PunieError
from punie_cli.store import opened, session_file

_KNOWN = frozenset(field.name for field in fields(Usage))


@dataclass(frozen=True)
class Cost:
    """Of some replies: tokens that were read, that were in the cache already, that were written; seconds for them."""

    replies: int
    read: int
    cached: int
    written: int
    seconds: float
    writing_s: float

    @property
    def tokens_per_s(self) -> float:
        """Speed of writing; 0 where it cannot be told."""
        return (self.written - self.replies) / self.writing_s if self.writing_s else 0.0


def cost_of(usages: Iterable[Usage]) -> Cost:
    """The sum over replies."""
    found = list(usages)
    # The speed counts from the first token of a reply on.
    writing = sum(max(u.completion_tokens - 1, 0) / u.tokens_per_s for u in found if u.tokens_per_s)
    return Cost(
        replies=len(found),
        read=sum(u.prompt_tokens - u.cached_tokens for u in found),
        cached=sum(u.cached_tokens for u in found),
        written=sum(u.completion_tokens for u in found),
        seconds=sum(u.first_token_s for u in found) + writing,
        writing_s=writing,
    )


def usages(session: str) -> list[tuple[int, Usage]]:
    """Turn and usage of each reply, in order. PunieError for a store that cannot be read."""
    if not session_file().exists():
        return []
    query = "SELECT turn, json FROM records WHERE session = ? AND type = 'usage' ORDER BY n"
    with opened("read") as store:
        return [(turn, _usage(line)) for turn, line in store.execute(query, (session,))]


def last_usage(session: str) -> Usage | None:
    """The usage of the last reply; None before the first and where none is kept."""
    try:
        found = usages(session)
    except PunieError:
        return None
    return found[-1][1] if found else None


def _usage(line: str) -> Usage:
    return Usage(**{name: value for name, value in json.loads(line).items() if name in _KNOWN})
