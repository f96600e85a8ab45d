"""Rows as tokens, tokens as batches. The order is a pure function of the seed: a resumed run sees the same."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

from punie_cli.agent.prompt import Renderer
from punie_cli.errors import UsageError
from punie_cli.rows.row import Row

# The longest row of a group has at most so many times the tokens of its shortest.
SPREAD = 1.3


@dataclass(frozen=True)
class Example:
    """One rendered row without the prompt core that all rows share; `trained` marks the tokens that the model wrote."""

    tokens: list[int]
    trained: list[bool]


@dataclass(frozen=True)
class Stats:
    """What the rows come to in tokens; `core` is the length of the prompt core that all begin with."""

    rows: int
    tokens: int
    trained: int
    longest: int
    core: int


def encode(rows: Iterable[Row], renderer: Renderer, max_tokens: int) -> tuple[list[Example], Stats]:
    """Render rows. Raises UsageError for a row over `max_tokens` or one that trains nothing: none is dropped."""
    core = renderer.core_tokens
    examples = []
    for row in rows:
        tokens, mask = renderer.row(row.messages, tail=row.tail)
        if not any(mask):
            raise UsageError(f"row {row.id} ({row.intent}) has nothing that the model wrote")
        if tokens[: len(core)] != core:
            raise UsageError(f"row {row.id} does not begin with the prompt core")
        if len(tokens) > max_tokens:
            raise UsageError(
                f"row {row.id} ({row.intent}) has {len(tokens)} tokens; the phase allows {max_tokens}",
                "raise train.max_tokens in the phase, or drop the row",
            )
        examples.append(Example(tokens[len(core) :], mask[len(core) :]))
    if not examples:
        raise UsageError("there are no rows to train on", "punie data build --phase 23")
    return examples, Stats(
        rows=len(examples),
        tokens=sum(len(e.tokens) for e in examples),
        trained=sum(sum(e.trained) for e in examples),
        longest=max(len(e.tokens) for e in examples),
        core=len(core),
    )


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
