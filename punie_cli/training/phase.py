"""A phase: the recipe of one training and of what follows it. Unknown keys are refused.

A user's own `phases/NN.toml` below punie's data comes before the shipped `data/phases/NN.toml`.
"""

import difflib
import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from punie_cli.errors import MissingError, UsageError
from punie_cli.paths import data_dir, shipped

LORA_KEYS = (
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
)  # fmt: skip


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rows(_Strict):
    """Where the rows come from: those of other phases first, then so many of each group; the split in percent."""

    seed: int = 0
    include: tuple[int, ...] = ()
    """Numbers of phases whose rows come first, made with their own seeds."""
    groups: dict[str, Annotated[int, Field(ge=0)]] = {}
    split: tuple[int, int, int] = (80, 10, 10)

    @model_validator(mode="after")
    def _some_train(self) -> "Rows":
        if min(self.split) < 0 or self.split[0] == 0:
            raise ValueError("split must be three shares, the first above 0")
        return self


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
    """Adam. The learning rate rises over `warmup` steps, then follows `schedule`: to zero, unless it is constant."""

    learning_rate: float = Field(1e-4, gt=0)
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: int = Field(0, ge=0)
    clip: float = Field(1.0, gt=0)
    """Bound on the norm of the gradient."""


class Train(_Strict):
    """What is trained, how long and in what batches. A step has `batch` × `accumulate` rows."""

    method: Literal["lora", "dora", "full"] = "lora"
    start: str | None = None
    """An adapter that the training begins with, by name or folder, in place of LoRA weights drawn at random."""
    epochs: float | None = Field(None, gt=0)
    """Without `steps` and `epochs`: one epoch."""
    steps: int | None = Field(None, ge=1)
    batch: int = Field(8, ge=1)
    """Rows that go through the model together."""
    accumulate: int = Field(1, ge=1)
    """Batches whose gradients are summed into one step."""
    batch_tokens: int | None = Field(None, ge=16)
    """Bound on a batch's tokens with padding; a step is dealt into more batches where it would be passed."""
    max_tokens: int = Field(2048, ge=16)
    """Bound on a row; a longer one is refused, never cut."""
    grad_checkpoint: bool = False
    """Compute activations twice and keep fewer."""
    checkpoint_every: int = Field(50, ge=1)
    """Steps between checkpoints, each with a validation."""
    patience: int | None = Field(None, ge=1)
    """End after so many validations in a row without a better one."""
    validation_rows: int = Field(40, ge=1)
    probe_rows: int = Field(0, ge=0)
    """Held-back rows that the model plays at each checkpoint; their score chooses the best one."""
    seed: int = 0

    @model_validator(mode="after")
    def _one_length(self) -> "Train":
        if self.epochs is not None and self.steps is not None:
            raise ValueError("steps and epochs are both given; one says how long")
        return self


class Fuse(_Strict):
    """How the adapter goes into the weights of its base; see `training/fuse.py`."""

    mode: Literal["touched", "float16", "base"] = "touched"


class Quantize(_Strict):
    """Bits for each weight of the fused model; `mixed` gives sensitive layers more."""

    bits: Literal[2, 3, 4, 5, 6, 8]
    group_size: Literal[32, 64, 128] = 64
    mixed: bool = False


class Eval(_Strict):
    """What the last model that was made is tried on."""

    suite: str | None = "foundation"
    rows: int = Field(0, ge=0)
    """Rows of the test side that are played as well (an executed probe)."""
    gate: float = Field(0.0, ge=0, le=1)
    """Least share of the suite's cases that must pass; without a suite, of the rows."""
    groups: dict[str, Annotated[int, Field(ge=1)]] = {}
    """Besides: how many cases of a group of the suite must pass at least."""

    @model_validator(mode="after")
    def _something(self) -> "Eval":
        if self.suite is None and not self.rows:
            raise ValueError("neither a suite nor rows are given")
        if self.suite is None and self.groups:
            raise ValueError("groups are those of a suite, and none is given")
        return self


class Phase(_Strict):
    """One numbered recipe. What follows the training (`fuse`, `quantize`, `eval`) is only done where it is named."""

    number: int
    title: str
    builtins: tuple[str, ...] = ("typecheck", "read_file", "write_file", "run_command")
    base: str = "smollm2-135m"
    rows: Rows
    lora: Lora = Lora()
    optimizer: Optimizer = Optimizer()
    train: Train = Train()
    fuse: Fuse | None = None
    quantize: Quantize | None = None
    eval: Eval | None = None
    bases: tuple[str, ...] = ()
    """Base models that are trained one after the other and compared, in place of `base`."""

    @model_validator(mode="after")
    def _ordered(self) -> "Phase":
        if self.quantize and not self.fuse:
            raise ValueError("[quantize] needs [fuse]: what is quantized is the fused model")
        return self

    @model_validator(mode="after")
    def _one_draw(self) -> "Phase":
        if self.lora.dropout and self.train.grad_checkpoint:
            raise ValueError("lora.dropout and train.grad_checkpoint do not go together: what is dropped is drawn once")
        return self

    @property
    def recipe_hash(self) -> str:
        """First 16 hex digits of the SHA-256 over the recipe."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def training_hash(self) -> str:
        """First 16 hex digits of the SHA-256 over what a training depends on, besides its rows."""
        text = self.model_dump_json(include={"builtins", "base", "lora", "optimizer", "train"})
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def phase_path(number: int) -> Path:
    """The file of a phase: the user's own below punie's data if there is one, else the shipped one."""
    own = own_phases() / f"{number}.toml"
    return own if own.is_file() else shipped("phases", f"{number}.toml")


def own_phases() -> Path:
    """Folder of the user's own phases: `NN.toml`."""
    return data_dir() / "phases"


def known_phases() -> list[int]:
    """Numbers of the shipped phases and of the user's own, sorted."""
    paths = [*shipped("phases").glob("[0-9]*.toml"), *own_phases().glob("[0-9]*.toml")]
    return sorted({int(path.stem) for path in paths if path.stem.isdecimal()})


def read_phase(number: int) -> dict[str, Any]:
    """The tables of a phase, not yet checked.

    Raises MissingError if there is none, UsageError for bad TOML and for a file whose own number is another one.
    """
    path = phase_path(number)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(map(str, known_phases()))
        raise MissingError(f"there is no phase {number}; there are: {known}", "punie phases list") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UsageError(f"{path}: {problem}") from None
    if content.get("number", number) != number:
        raise UsageError(f"{path}: its number is {content['number']!r}, by its name it is {number}", f"edit {path}")
    return content


def make_phase(content: dict[str, Any], where: str) -> Phase:
    """Check the tables of a recipe. Raises UsageError that begins with `where` and names the first bad key."""
    try:
        return Phase.model_validate(content)
    except ValidationError as problem:
        raise UsageError(f"{where}: {_first(problem)}") from None


def load_phase(number: int) -> Phase:
    """Read a phase. Raises MissingError if there is none, UsageError for a file that does not fit."""
    return make_phase(read_phase(number), str(phase_path(number)))


def nearest(key: str) -> str:
    """`; did you mean 'x'?` for a dotted key that no phase has; empty where nothing is near."""
    *tables, last = key.split(".")
    table: Any = Phase
    for name in tables:
        field = table.model_fields.get(name)
        table = next(filter(_is_table, get_args(field.annotation) or (field.annotation,)), None) if field else None
        if table is None:
            return ""
    near = difflib.get_close_matches(last, list(table.model_fields), 1)
    return f"; did you mean '{near[0]}'?" if near else ""


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _first(problem: ValidationError) -> str:
    error = problem.errors()[0]
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        message = error["msg"].removeprefix("Value error, ")
        return f"{where}: {message}" if where else message
    return f"unknown key '{where}'{nearest(where)}"
