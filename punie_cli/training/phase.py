"""A phase: the recipe of one training, `data/phases/NN.toml`. Unknown keys are refused."""

import difflib
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from punie_cli.errors import MissingError, UsageError
from punie_cli.paths import shipped

LORA_KEYS = (
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
)  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rows(_Strict):
    """Where the rows come from: how many of each group of intents, the seed, and the split in percent."""

    seed: int = 0
    groups: dict[str, int]
    split: tuple[int, int, int] = (80, 10, 10)


class Lora(_Strict):
    """Which layers are adapted and how. `scale` multiplies the update directly (it is not alpha / rank)."""

    rank: int = Field(8, ge=1, le=256)
    scale: float = Field(2.0, gt=0)
    dropout: float = Field(0.0, ge=0, lt=1)
    layers: int | Literal["all"] = "all"
    keys: tuple[str, ...] = LORA_KEYS

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings in mlx_lm's terms; keys always explicit, or a router and all experts would be adapted."""
        return {"rank": self.rank, "scale": self.scale, "dropout": self.dropout, "keys": list(self.keys)}


class Optimizer(_Strict):
    """Adam with warm-up and linear decay to zero; `clip` bounds the norm of the gradient."""

    learning_rate: float = Field(1e-4, gt=0)
    warmup: int = Field(0, ge=0)
    clip: float = Field(1.0, gt=0)


class Train(_Strict):
    """How long and in what batches. `max_tokens` bounds a row; a longer one is refused, never cut."""

    epochs: float = Field(1.0, gt=0)
    batch: int = Field(8, ge=1)
    max_tokens: int = Field(2048, ge=16)
    checkpoint_every: int = Field(50, ge=1)
    validation_rows: int = Field(40, ge=1)
    seed: int = 0


class Phase(_Strict):
    """One numbered recipe."""

    number: int
    title: str
    builtins: tuple[str, ...] = ("typecheck", "read_file", "write_file", "run_command")
    base: str = "smollm2-135m"
    rows: Rows
    lora: Lora = Lora()
    optimizer: Optimizer = Optimizer()
    train: Train = Train()

    @property
    def recipe_hash(self) -> str:
        """First 16 hex digits of the SHA-256 over the recipe."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def phase_path(number: int) -> Path:
    """The file of a shipped phase."""
    return shipped("phases", f"{number}.toml")


def known_phases() -> list[int]:
    """Numbers of the shipped phases, sorted."""
    return sorted(int(path.stem) for path in shipped("phases").glob("[0-9]*.toml"))


def load_phase(number: int) -> Phase:
    """Read a shipped phase. Raises MissingError if there is none, UsageError for a file that does not fit."""
    path = phase_path(number)
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except FileNotFoundError:
        known = ", ".join(map(str, known_phases()))
        raise MissingError(f"there is no phase {number}; there are: {known}", "punie train --phase 23") from None
    except tomllib.TOMLDecodeError as problem:
        raise UsageError(f"{path}: {problem}") from None
    try:
        return Phase.model_validate(content)
    except ValidationError as problem:
        raise UsageError(f"{path}: {_first(problem)}") from None


def _first(problem: ValidationError) -> str:
    error = problem.errors()[0]
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        return f"{where}: {error['msg']}"
    tables: dict[str, type[BaseModel]] = {"rows": Rows, "lora": Lora, "optimizer": Optimizer, "train": Train}
    table = tables.get(str(error["loc"][0]), Phase) if len(error["loc"]) > 1 else Phase
    near = difflib.get_close_matches(str(error["loc"][-1]), list(table.model_fields), 1)
    return f"unknown key '{where}'" + (f"; did you mean '{near[0]}'?" if near else "")
