"""What a run will do, resolved before anything is computed: `punie train --phase N --dry-run`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from punie_cli.agent.prompt import PromptCore, Renderer, dialect_for
from punie_cli.builtins.registry import Registry
from punie_cli.models import store
from punie_cli.models.files import read_config
from punie_cli.rows.build import find_rows, read_split
from punie_cli.rows.row import Row
from punie_cli.training.batches import Example, encode
from punie_cli.training.phase import Phase
from punie_cli.training.recipe import Recipe, Value
from punie_cli.training.reports import Stats


@dataclass(frozen=True)
class Data:
    """The rows of a run as tokens, under one prompt core."""

    folder: Path
    core: PromptCore
    renderer: Renderer
    train_rows: Sequence[Row]
    valid_rows: Sequence[Row]
    examples: list[Example]
    validation: list[Example]
    stats: Stats
    valid_stats: Stats


@dataclass(frozen=True)
class Draft:
    """A plan that was not begun: every value with its source, what the rows come to, and the first row as rendered."""

    values: tuple[Value, ...]
    data: Data
    model: Path
    steps: int
    context_tokens: int

    @property
    def first_row(self) -> str:
        """The first training row, special tokens visible, as the model reads it."""
        row = self.data.train_rows[0]
        return "".join(s.text for s in self.data.renderer.segments(row.messages, tail=row.tail, reply_next=False))

    def as_record(self) -> dict[str, Any]:
        """As one JSON line."""
        return {
            "type": "draft",
            "values": {v.key: {"value": v.value, "source": v.source} for v in self.values},
            "model": str(self.model),
            "rows": str(self.data.folder),
            "train": asdict(self.data.stats),
            "valid": asdict(self.data.valid_stats),
            "steps": self.steps,
            "context_tokens": self.context_tokens,
            "prompt_hash": self.data.core.hash,
            "first_row": self.first_row,
        }


def read_data(phase: Phase, tokenizer: Any) -> Data:
    """Read and render a phase's rows. Raises UsageError that lists every row that cannot be trained."""
    folder = find_rows(phase)
    split = read_split(folder)
    core = PromptCore.build(Registry(phase.builtins), dialect_for(tokenizer))
    renderer = Renderer(core, tokenizer)
    limit = phase.train.max_tokens
    examples, stats = encode(split.train, renderer, limit, str(folder / "train.jsonl"))
    valid_rows = split.valid[: phase.train.validation_rows]
    validation, valid_stats = encode(valid_rows, renderer, limit, str(folder / "valid.jsonl"))
    return Data(folder, core, renderer, split.train, split.valid, examples, validation, stats, valid_stats)


def steps_of(phase: Phase, rows: int) -> int:
    """Optimizer steps of a phase over so many rows: as given, or by its epochs; at least one."""
    if phase.train.steps is not None:
        return phase.train.steps
    size = phase.train.batch * phase.train.accumulate
    return max(1, round(-(-rows // size) * (phase.train.epochs or 1.0)))


def context_tokens(phase: Phase, stats: Stats, steps: int) -> int:
    """Tokens that the model will read, without padding: each row as often as it comes, the core once a batch."""
    rows = phase.train.batch * phase.train.accumulate
    shown = min(steps * rows, round(steps / -(-stats.rows // rows) * stats.rows))
    return round(stats.tokens / stats.rows * shown) + steps * phase.train.accumulate * stats.core


def draft(recipe: Recipe) -> Draft:
    """Resolve a plan; loads the tokenizer, not the model. Raises as a run would for a model or rows it cannot use."""
    from punie_cli.models.load import load_tokenizer

    phase = recipe.phase
    base = store.find(phase.base)
    config = read_config(base)
    data = read_data(phase, load_tokenizer(base, config))
    steps = steps_of(phase, data.stats.rows)
    values = (*recipe.values, *_derived(phase, config, steps))
    return Draft(values, data, base, steps, context_tokens(phase, data.stats, steps))


def _derived(phase: Phase, config: dict[str, Any], steps: int) -> list[Value]:
    """What the recipe leaves to the model and the rows."""
    found = []
    if phase.lora.layers == "all":
        found.append(Value("lora.layers", config.get("num_hidden_layers"), "model"))
    if phase.train.steps is None:
        found.append(Value("train.steps", steps, "rows"))
    return found
