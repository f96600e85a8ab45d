"""Fuzzy search in paths and words: the letters of a query in their order, the likeliest first."""

import asyncio
import re
from collections.abc import Iterable, Sequence

# How many are looked at before other work, such as a key press, gets its turn.
_AT_ONCE = 500

Rank = tuple[int, int, int, int, str]


class Query:
    """What is looked for, prepared for many paths. Case does not count."""

    def __init__(self, query: str) -> None:
        self._query = query.casefold().removeprefix("./")
        self._of_path = "/" in self._query
        letters = [re.escape(letter) for letter in self._query]
        # No letter can be matched in two ways: no path makes this slow.
        rest = "".join(f"[^{letter}]*{letter}" for letter in letters[1:])
        self._order = re.compile(f"[^{letters[0]}]*({letters[0]}{rest})" if letters else "()", re.DOTALL)

    def rank(self, path: str) -> Rank | None:
        """How well a path fits, the smaller the better, with the path at the end; None where a letter is missing.

        A name that begins with the query goes before one that has it inside, then one that has its letters in order;
        then the same for the path from its start, which is all that counts for a query with `/`. Among equals: fewer
        letters between, fewer folders, shorter.
        """
        text = path.casefold()
        in_path = self._fit(text)
        if in_path is None:
            return None
        if self._of_path:
            kind, gap = in_path
        elif (in_name := self._fit(text.rstrip("/").rpartition("/")[2])) is not None:
            kind, gap = in_name
        else:
            kind, gap = in_path[0] + 3, in_path[1]
        return kind, gap, path.count("/", 0, -1), len(path) if self._query else 0, path

    def _fit(self, text: str) -> tuple[int, int] | None:
        found = self._order.match(text)
        if found is None:
            return None
        if text.startswith(self._query):
            return 0, 0
        if self._query in text:
            return 1, 0
        return 2, len(found[1]) - len(self._query)


def search(query: str, paths: Iterable[str], limit: int = 50) -> list[str]:
    """The paths that fit, the best first."""
    asked = Query(query)
    ranks = [found for path in paths if (found := asked.rank(path)) is not None]
    return [found[-1] for found in sorted(ranks)[:limit]]


async def search_in_turns(query: str, paths: Sequence[str], limit: int = 50) -> list[str]:
    """`search` for many paths, without holding up the event loop."""
    asked = Query(query)
    best: list[Rank] = []
    for start in range(0, len(paths), _AT_ONCE):
        found = [asked.rank(path) for path in paths[start : start + _AT_ONCE]]
        best = sorted([*best, *(each for each in found if each is not None)])[:limit]
        await asyncio.sleep(0)
    return [each[-1] for each in best]
