"""Does a fused or quantized model say what its base says with the adapter? On held-back rows, in three ways.

    report = check(folder, count=16)

1. The rows' own replies are read by both, token by token: where do they expect the same next token, and how far apart
   are their predictions (KL over the whole vocabulary)?
2. Both write the first program of each row themselves: is it the same text?
3. If not, both programs run in the row's setting: are outputs and files the same?

One model is in memory at a time. What the first one predicts is kept on disk in float32, 4 bytes for each position and
word of the vocabulary: 0.2 GB for 16 rows of the embedded model.
"""

import asyncio
import gc
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from punie_cli import paths
from punie_cli.agent.dialects import Step
from punie_cli.agent.execute import as_message, run_program
from punie_cli.agent.messages import Message
from punie_cli.agent.prompt import PromptCore, Renderer, dialect_for
from punie_cli.builtins.registry import Registry
from punie_cli.errors import MissingError, UsageError
from punie_cli.evaluation.effects import effects, same_files
from punie_cli.evaluation.scratch import snapshot
from punie_cli.models import store
from punie_cli.models.building import require_disk, write_json
from punie_cli.models.files import read_config, read_record, weight_hash
from punie_cli.models.load import load, load_tokenizer, precision
from punie_cli.rows.build import find_rows
from punie_cli.rows.replay import open_setting
from punie_cli.rows.row import Row, Setting, read_rows
from punie_cli.sandbox.host import Sandbox
from punie_cli.training.fingerprints import adapter_hash
from punie_cli.training.phase import known_phases, load_phase

ROWS = 16
REPLY_TOKENS = 256
# Tokens that go through the model at once, and positions that are compared at once: both bound memory.
_CHUNK, _POSITIONS = 256, 32

Note = Callable[[str, int, int], None]
"""Progress: what is done, how many of how many rows."""


@dataclass(frozen=True)
class Subject:
    """One side of a comparison: a model, and an adapter on it or none."""

    model: Path
    adapter: Path | None = None

    @property
    def name(self) -> str:
        return store.name_of(self.model) + (f" + {self.adapter.name}" if self.adapter else "")

    @property
    def precision(self) -> str:
        """How it runs here: on the CPU packed weights are expanded to float32."""
        return precision(read_config(self.model)).text


@dataclass(frozen=True)
class Programs:
    """First programs of `asked` rows: same text; another text with the same output and files; not run, having none.

    `not_run` counts pairs of different texts of which one is no whole program, or whose row has no setting.
    """

    asked: int
    same_text: int
    same_effect: int
    not_run: int

    @property
    def same(self) -> int:
        return self.same_text + self.same_effect


@dataclass(frozen=True)
class Equivalence:
    """How a candidate differs from its reference. KL is KL(reference || candidate) in nats, at `positions` tokens.

    `agreement` is the share of positions (0 to 1) where both expect the same token; `first_divergence` has for each row
    the first trained token where they do not, None where there is none.
    """

    reference: str
    candidate: str
    reference_precision: str
    candidate_precision: str
    rows: int
    positions: int
    agreement: float
    first_divergence: tuple[int | None, ...]
    kl_mean: float
    kl_max: float
    programs: Programs | None
    seconds: float


def check(
    folder: Path,
    *,
    count: int = ROWS,
    phase: int | None = None,
    reference: Subject | None = None,
    note: Note = lambda text, done, of: None,
) -> Equivalence:
    """Compare a model that punie made with what it was made from, and keep the result in its record.

    With a `reference` of the caller's own nothing is kept. Rows are the first `count` validation rows of `phase`, by
    default of the phase that trained the adapter. Raises MissingError where base, adapter or rows are gone.
    """
    record = read_record(folder)
    against = reference or origin(folder)
    core = record_core(folder)
    report = compare(against, Subject(folder), core, held_back(phase or _phase(record), count), note=note)
    if reference is None:
        write_json(folder / "punie.json", record | {"equivalence": asdict(report)})
    return report


def origin(folder: Path) -> Subject:
    """What a model is to be compared with: base and adapter, or the model that was quantized.

    Raises MissingError where they are gone or have changed, UsageError for a model that punie did not make.
    """
    lineage = read_record(folder).get("lineage")
    if not isinstance(lineage, dict):
        raise UsageError(f"{folder} was not made by punie fuse or quantize", "punie models compare NAME REFERENCE")
    # A quantized model was made of a fused one; that was made of base and adapter.
    steps = [lineage, *([lineage["of"]] if lineage.get("of") else [])]
    for step in reversed(steps):
        found = _still_there(step)
        if found is not None:
            return found
    names = " and ".join(step["base"]["name"] for step in steps)
    raise MissingError(f"what {folder.name} was made of is gone or has changed: {names}", "punie models list")


def record_core(folder: Path) -> PromptCore:
    """The prompt core that a model is rendered with: its own, or today's for one that was not trained by punie."""
    kept = read_record(folder).get("core")
    if kept is not None:
        return PromptCore.model_validate(kept)
    return PromptCore.build(Registry(), dialect_for(load_tokenizer(folder)))


def held_back(phase: int | None, count: int) -> list[Row]:
    """The first validation rows of a phase; None is the newest phase that has rows here. MissingError without any."""
    for number in [phase] if phase is not None else reversed(known_phases()):
        path = find_rows(load_phase(number)) / "valid.jsonl"
        if path.is_file() or phase is not None:
            return list(itertools.islice(read_rows(path), count))
    raise MissingError("no phase has rows here", "punie data build --phase 23")


def compare(
    reference: Subject,
    candidate: Subject,
    core: PromptCore,
    rows: Sequence[Row],
    *,
    programs: bool = True,
    note: Note = lambda text, done, of: None,
) -> Equivalence:
    """Compare two models on rows, both rendered with `core`. Raises UsageError where their tokens differ."""
    start = time.monotonic()
    if not rows:
        raise UsageError("there are no rows to compare on", "--check-rows 16")
    paths.cache_dir().mkdir(parents=True, exist_ok=True)
    divergence: list[int | None] = []
    same, kl = [], []
    with tempfile.TemporaryDirectory(prefix="compare-", dir=paths.cache_dir()) as scratch:
        kept = Path(scratch)
        first = _Reader(reference, core)
        _require_space(kept, first, rows)
        encoded = []
        for number, (tokens, logits) in enumerate(first.read(rows)):
            np.save(kept / f"{number}.npy", logits)
            encoded.append(tokens)
            note(f"reading with {reference.name}", number + 1, len(rows))
        written = _write(first, rows, reference.name, note) if programs else []
        del first
        _free()
        second = _Reader(candidate, core)
        for number, (tokens, logits) in enumerate(second.read(rows)):
            if tokens != encoded[number]:
                raise UsageError(f"{candidate.name} has other tokens than {reference.name}: they cannot be compared")
            alike, distance = difference(np.load(kept / f"{number}.npy", mmap_mode="r"), logits)
            same.append(alike)
            kl.append(distance)
            divergence.append(None if alike.all() else int(np.argmin(alike)))
            note(f"reading with {candidate.name}", number + 1, len(rows))
        answers = _write(second, rows, candidate.name, note) if programs else []
        del second
        _free()
    judged = None
    if programs:
        settings = [row.setting for row in rows if _asked(row) is not None]
        judged = asyncio.run(judge(list(zip(written, answers, settings, strict=True)), core))
    alike, distances = np.concatenate(same), np.concatenate(kl)
    return Equivalence(
        reference.name,
        candidate.name,
        reference.precision,
        candidate.precision,
        len(rows),
        len(alike),
        float(alike.mean()),
        tuple(divergence),
        float(distances.mean()),
        float(distances.max()),
        judged,
        round(time.monotonic() - start, 1),
    )


def difference(reference: np.ndarray, candidate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each row of two arrays of logits (positions, vocabulary): is the highest the same, and the KL in nats.

    In float64: the KL of two nearly equal distributions is the small rest of large terms.
    """
    same, distances = [], []
    for start in range(0, len(reference), _POSITIONS):
        one, other = (_log_softmax(part[start : start + _POSITIONS]) for part in (reference, candidate))
        same.append(one.argmax(axis=1) == other.argmax(axis=1))
        distances.append(np.maximum((np.exp(one) * (one - other)).sum(axis=1), 0.0))
    return np.concatenate(same), np.concatenate(distances)


async def judge(pairs: Sequence[tuple[Step, Step, Setting | None]], core: PromptCore) -> Programs:
    """Compare replies two by two; programs whose texts differ run, each in a fresh copy of their setting."""
    same_text = same_effect = not_run = 0
    registry = Registry(core.builtins)
    async with Sandbox(registry.specs()) as sandbox:
        for one, other, setting in pairs:
            if (one.kind, one.text.strip()) == (other.kind, other.text.strip()):
                same_text += 1
            elif setting is None or not all(step.kind == "program" and step.closed for step in (one, other)):
                not_run += 1
            else:
                done = [await _run(step.text, setting, registry, sandbox) for step in (one, other)]
                same_effect += done[0][0] == done[1][0] and same_files(done[0][1], done[1][1]).ok
    return Programs(len(pairs), same_text, same_effect, not_run)


async def _run(code: str, setting: Setting, registry: Registry, sandbox: Sandbox) -> tuple[Message, Any]:
    async with open_setting(setting) as workspace, await sandbox.turn() as turn:
        done = as_message(await run_program(code, turn, registry, workspace))
        # The folder is another one each time.
        text = done.text.replace(str(workspace.root), ".")
        return done.model_copy(update={"text": text}), effects([], snapshot(workspace.root), {})


class _Reader:
    """One loaded model; the prompt core, with which all rows begin, is read once where the cache can be cut back."""

    def __init__(self, subject: Subject, core: PromptCore) -> None:
        # First: it puts the BLAS in place before mlx.
        self.model, self.tokenizer, self.config = load(subject.model, subject.adapter)
        from mlx_lm.models.cache import can_trim_prompt_cache, make_prompt_cache

        self.renderer = Renderer(core, self.tokenizer)
        self._fresh = make_prompt_cache
        self._cache = make_prompt_cache(self.model)
        self._core: list[int] = []
        if can_trim_prompt_cache(self._cache):
            self._core = self.renderer.core_tokens
            self._forward(self._core)

    def read(self, rows: Sequence[Row]) -> Iterator[tuple[list[int], np.ndarray]]:
        """For each row its tokens, and the logits (trained tokens, vocabulary) that predict what the model wrote."""
        from mlx_lm.models.cache import trim_prompt_cache

        for row in rows:
            tokens, mask = self.renderer.row(row.messages, tail=row.tail)
            known = len(self._core) if tokens[: len(self._core)] == self._core else 0
            if not known:
                self._core, self._cache = [], self._fresh(self.model)
            places = [i - known for i in range(known, len(tokens) - 1) if mask[i + 1]]
            yield tokens, self._forward(tokens[known:], places)
            if known:
                trim_prompt_cache(self._cache, len(tokens) - known)

    def _forward(self, tokens: Sequence[int], places: Sequence[int] = ()) -> np.ndarray:
        import mlx.core as mx

        found = []
        for start in range(0, len(tokens), _CHUNK):
            logits = self.model(mx.array([list(tokens[start : start + _CHUNK])]), cache=self._cache)[0]
            chosen = [place - start for place in places if start <= place < start + _CHUNK]
            if chosen:
                found.append(np.array(logits[mx.array(chosen)].astype(mx.float32)))
            else:
                mx.eval(logits)
        return np.concatenate(found) if found else np.empty((0, 0), np.float32)


def _write(reader: _Reader, rows: Sequence[Row], name: str, note: Note) -> list[Step]:
    """The reply of a model, greedily, to the question of each row whose first reply is a program."""
    from punie_cli.engine.base import Reply
    from punie_cli.engine.decoder import Decoder

    decoder = Decoder(reader.model, reader.tokenizer, context=reader.config.get("max_position_embeddings"))
    asked = [(row, before) for row in rows if (before := _asked(row)) is not None]
    steps = []
    for row, before in asked:
        tokens = reader.renderer.tokens(before, tail=row.tail)
        for event in decoder.generate(tokens, REPLY_TOKENS, lambda: False):
            if isinstance(event, Reply):
                steps.append(reader.renderer.parse(event.text))
        note(f"programs of {name}", len(steps), len(asked))
    return steps


def _asked(row: Row) -> tuple[Message, ...] | None:
    """What stands before the first reply if that is a program, else None."""
    for number, message in enumerate(row.messages):
        if message.from_model:
            return row.messages[:number] if message.role == "program" else None
    return None


def _still_there(step: dict[str, Any]) -> Subject | None:
    try:
        model = store.find(step["base"]["name"])
        if weight_hash(model) != step["base"]["hash"]:
            return None
        if step["made"] == "quantize":
            return Subject(model)
        adapter = Path(step["adapter"]["folder"])
        return Subject(model, adapter) if adapter_hash(str(adapter)) == step["adapter"]["hash"] else None
    except (MissingError, KeyError):
        return None


def _phase(record: dict[str, Any]) -> int | None:
    lineage = record.get("lineage") or {}
    adapter = lineage.get("adapter") or (lineage.get("of") or {}).get("adapter") or {}
    return adapter.get("phase")


def _require_space(folder: Path, reader: _Reader, rows: Sequence[Row]) -> None:
    trained = sum(sum(reader.renderer.row(row.messages, tail=row.tail)[1]) for row in rows)
    text = reader.config.get("text_config") or reader.config
    require_disk(folder, trained * text.get("vocab_size", 0) * 4 + 50_000_000)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    wide = logits.astype(np.float64)
    wide -= wide.max(axis=1, keepdims=True)
    return wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))


def _free() -> None:
    import mlx.core as mx

    # Modules refer to each other, so that only the collector frees them.
    gc.collect()
    mx.clear_cache()
