"""Rows as tokens, tokens as batches. The order is a pure function of the seed: a resumed run sees the same."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from punie_cli.agent.prompt import Renderer
from punie_cli.errors import UsageError
from punie_cli.rows.row import Row
from punie_cli.training.reports import Stats

# The longest row of a group has at most so many times the tokens of its shortest.
SPREAD = 1.3
# Of rows that are refused, so many are named.
SHOWN = 10


@dataclass(frozen=True)
class Example:
    """One rendered row without the prompt core that all rows share; `trained` marks the tokens that the model wrote."""

    tokens: list[int]
    trained: list[bool]


def encode(rows: Iterable[Row], renderer: Renderer, max_tokens: int, file: str = "rows") -> tuple[list[Example], Stats]:
    """Render rows. Raises UsageError that lists those over `max_tokens` or that train nothing: none is dropped.

    `file` names the rows in that list; they are counted from 1.
    """
    core = renderer.core_tokens
    examples, refused = [], []
    for number, row in enumerate(rows, start=1):
        tokens, mask = renderer.row(row.messages, tail=row.tail)
        if problem := _problem(tokens, mask, core, max_tokens):
            refused.append(f"{file} row {number} ({row.id}, {row.intent}) {problem}")
        examples.append(Example(tokens[len(core) :], mask[len(core) :]))
    if refused:
        more = f"; and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
        raise UsageError("; ".join(refused[:SHOWN]) + more, "--set train.max_tokens=…, or change these rows")
    if not examples:
        raise UsageError(f"{file} has no rows", "punie data build --phase 23")
    return examples, Stats(
        rows=len(examples),
        tokens=sum(len(e.tokens) for e in examples),
        trained=sum(sum(e.trained) for e in examples),
        longest=max(len(e.tokens) for e in examples),
        core=len(core),
    )


def _problem(tokens: list[int], mask: list[bool], core: list[int], max_tokens: int) -> str:
    if not any(mask):
        return "has nothing that the model wrote"
    if tokens[: len(core)] != core:
        return "does not begin with the prompt core"
    return f"has {len(tokens)} tokens, {max_tokens} are allowed" if len(tokens) > max_tokens else ""


def batches(examples: Sequence[Example], size: int, steps: int, seed: int) -> Iterator[list[Example]]:
    """`steps` batches; epoch after epoch, each in its own shuffled order. The last batch of an epoch may be smaller."""
    epoch = 0
    while steps > 0:
        order = list(range(len(examples)))
        Random(f"{seed}-{epoch}").shuffle(order)
        chosen = [order[i : i + size] for i in range(0, len(order), size)][:steps]
        for batch in chosen:
            yield [examples[i] for i in batch]
        steps -= len(chosen)
        epoch += 1


def steps_for(rows: int, size: int, epochs: float) -> int:
    """Optimizer steps of so many epochs, at least one."""
    return max(1, round(-(-rows // size) * epochs))


def groups(batch: Sequence[Example]) -> list[list[Example]]:
    """A batch in groups of about the same length: padding is small, and rows of all kinds stay in one step."""
    found: list[list[Example]] = []
    for example in sorted(batch, key=lambda e: len(e.tokens)):
        if not found or len(example.tokens) > SPREAD * len(found[-1][0].tokens):
            found.append([])
        found[-1].append(example)
    return found


def micro_batches(rows: Sequence[Example], size: int, tokens: int | None = None) -> list[list[Example]]:
    """The rows of a step dealt into batches that go through the model one after the other, short rows first.

    Each has at most `size` rows and, if more than one, at most `tokens` tokens with padding.
    """
    found: list[list[Example]] = []
    padded = shortest = longest = count = 0
    for row in sorted(rows, key=lambda e: len(e.tokens)):
        length = len(row.tokens)
        # What the batch comes to with this row, in the groups that `groups` will make of it.
        joins = bool(found) and length <= SPREAD * shortest
        grown = padded - count * longest + (count + 1) * length if joins else padded + length
        if not found or len(found[-1]) == size or (tokens is not None and grown > tokens):
            found.append([])
            joins, grown = False, length
        shortest, count = (shortest, count + 1) if joins else (length, 1)
        padded, longest = grown, length
        found[-1].append(row)
    return found


def padded_tokens(batch: Sequence[Example]) -> int:
    """Tokens of a batch with the padding of its groups."""
    return sum(len(group) * len(group[-1].tokens) for group in groups(batch))
