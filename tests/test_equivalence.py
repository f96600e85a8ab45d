"""Comparing models: exact figures, programs run for their effects, what is kept and what is refused."""

import asyncio
import json
import re
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.agent.dialects import Step
from punie_cli.agent.messages import answer, output, program, user
from punie_cli.agent.open import choose
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.errors import MissingError, UsageError
from punie_cli.models.files import read_record
from punie_cli.models.load import load
from punie_cli.rows.row import Row, Setting, dump_rows
from punie_cli.settings import Settings
from punie_cli.training.equivalence import Programs, Subject, check, compare, difference, held_back, judge, origin
from punie_cli.training.fuse import fuse
from punie_cli.training.quantize import quantize
from tests.command_line import punie
from tests.tiny import make_tiny_model
from tests.tiny_adapter import in_store, make_adapter

CORE = PromptCore.build(Registry(("read_file", "write_file")), "tags")


def rows(number: int) -> list[Row]:
    return [
        Row(
            source="read",
            intent="first-line",
            project="p",
            messages=(
                user(f"read a{i}.txt"),
                program(f'print(read_file("a{i}.txt"))'),
                output("text\n"),
                answer(f"a{i}.txt has one line."),
            ),
            setting=Setting(files={f"a{i}.txt": "text\n"}),
        )
        for i in range(number)
    ]


@pytest.fixture
def home(punie_home: Path, tmp_path: Path) -> Path:
    """A home with a tiny model in use, an adapter of phase 23 on it, and rows of phase 23."""
    base = in_store(punie_home, make_tiny_model(tmp_path / "b", dtype="float32"), "tiny")
    make_adapter(punie_home / "data" / "adapters" / "phase-23", base, name="tiny", layers=2)
    folder = punie_home / "data" / "rows" / "23"
    folder.mkdir(parents=True)
    (folder / "valid.jsonl").write_text(dump_rows(rows(5)))
    (folder / "manifest.json").write_text("{}")
    return punie_home / "data"


@given(st.integers(0, 1000), st.integers(1, 70), st.integers(2, 30))
def test_agreement_and_kl_are_what_their_formulas_say(seed: int, positions: int, words: int) -> None:
    random = np.random.default_rng(seed)
    one, other = random.normal(size=(2, positions, words)).astype(np.float32) * 3
    same, distance = difference(one, other)
    p, q = (
        np.exp(x.astype(np.float64)) / np.exp(x.astype(np.float64)).sum(axis=1, keepdims=True) for x in (one, other)
    )
    np.testing.assert_allclose(distance, (p * np.log(p / q)).sum(axis=1), rtol=1e-6, atol=1e-12)
    assert same.tolist() == (one.argmax(axis=1) == other.argmax(axis=1)).tolist()


def test_a_model_is_like_itself(home: Path) -> None:
    subject = Subject(home / "models" / "tiny")
    found = compare(subject, subject, CORE, rows(2))
    assert (found.agreement, found.kl_max, found.first_divergence) == (1.0, 0.0, (None, None))
    assert found.programs == Programs(asked=2, same_text=2, same_effect=0, not_run=0)
    assert (found.reference, found.candidate, found.rows) == ("tiny", "tiny", 2)


def test_the_figures_are_those_of_whole_rows(home: Path) -> None:
    base, adapter = home / "models" / "tiny", home / "adapters" / "phase-23"
    chosen = rows(3)
    found = compare(Subject(base, adapter), Subject(base), CORE, chosen, programs=False)
    (one, tokenizer, _), (other, _, _) = load(base, adapter), load(base)
    renderer = Renderer(CORE, tokenizer)
    same, distances, first = [], [], []
    for row in chosen:
        tokens, mask = renderer.row(row.messages)
        trained = [i for i in range(len(tokens) - 1) if mask[i + 1]]
        alike, distance = difference(*(np.array(model(mx.array([tokens]))[0])[trained] for model in (one, other)))
        same += alike.tolist()
        distances += distance.tolist()
        first.append(alike.tolist().index(False))
    assert found.positions == len(same)
    assert found.agreement == sum(same) / len(same) < 1
    assert found.first_divergence == tuple(first)
    assert found.kl_mean == pytest.approx(np.mean(distances), rel=1e-3)
    assert found.kl_max == pytest.approx(max(distances), rel=1e-3)
    assert found.programs is None


def step(code: str, closed: bool = True) -> Step:
    return Step("program", code, closed)


def test_programs_are_judged_by_what_they_do() -> None:
    setting = Setting(files={"a.txt": "one\n"})
    same_output = (step('print(read_file("a.txt"))'), step('text = read_file("a.txt")\nprint(text)'))
    other_output = (step("print(1)"), step("print(2)"))
    same_file = (step('write_file("b.txt", "x\\n")'), step('write_file("b.txt", "x" + "\\n")'))
    other_file = (step('write_file("b.txt", "x")'), step('write_file("b.txt", "y")'))
    same_text = (step("print(1)"), step("print(1)\n"))
    cut = (step("print(1)"), step("print(1", closed=False))
    kind = (step("print(1)"), Step("answer", "print(1)"))
    pairs = [same_output, other_output, same_file, other_file, same_text, cut, kind]
    found = asyncio.run(judge([*((*pair, setting) for pair in pairs), (*same_output, None)], CORE))
    assert found == Programs(asked=8, same_text=1, same_effect=2, not_run=3)
    assert found.same == 3


def test_a_fused_model_is_compared_with_base_and_adapter(home: Path) -> None:
    made = fuse(choose(Settings(model="tiny", adapter="phase-23")))
    found = check(made.folder, count=4)
    assert (found.reference, found.candidate, found.rows) == ("tiny + phase-23", "tiny-phase-23", 4)
    assert (found.agreement, found.kl_max < 1e-9) == (1.0, True)
    kept = read_record(made.folder)
    assert kept["equivalence"] == json.loads(json.dumps(found.__dict__ | {"programs": found.programs.__dict__}))
    assert kept["lineage"]["made"] == "fuse"


def test_a_quantized_model_is_compared_with_what_it_came_from(home: Path) -> None:
    fuse(choose(Settings(model="tiny", adapter="phase-23")), mode="float16")
    folder = quantize("tiny-phase-23-float16", bits=4).folder
    assert origin(folder).name == "tiny + phase-23"
    # With the adapter gone, what was quantized is next; with that gone there is nothing.
    (home / "adapters" / "phase-23" / "adapters.safetensors").unlink()
    assert origin(folder).name == "tiny-phase-23-float16"
    (home / "models" / "tiny-phase-23-float16" / "model.safetensors").unlink()
    with pytest.raises(MissingError) as gone:
        check(folder)
    assert gone.value.message == (
        "what tiny-phase-23-4bit was made of is gone or has changed: tiny-phase-23-float16 and tiny"
    )
    with pytest.raises(UsageError, match="tiny was not made by punie fuse or quantize"):
        check(home / "models" / "tiny")


def test_models_with_other_tokens_are_refused(home: Path, tmp_path: Path) -> None:
    other = make_tiny_model(tmp_path / "other", vocab=300)
    with pytest.raises(UsageError, match=f"{other} has other tokens than tiny: they cannot be compared"):
        compare(Subject(home / "models" / "tiny"), Subject(other), CORE, rows(1))
    with pytest.raises(UsageError, match="there are no rows to compare on"):
        compare(Subject(home / "models" / "tiny"), Subject(other), CORE, [])


def test_rows_are_those_of_the_validation_set(home: Path) -> None:
    assert held_back(23, 3) == rows(3)
    assert held_back(23, 50) == rows(5)


def test_the_commands(home: Path) -> None:
    ran = punie("fuse", "--phase", "23", "--check-rows", "2")
    assert ran.code == 0
    assert ran.stderr.splitlines() == [
        "writing tiny-phase-23",
        "reading with tiny + phase-23",
        "programs of tiny + phase-23",
        "reading with tiny-phase-23",
        "programs of tiny-phase-23",
    ]
    head, *_ = ran.stdout.partition("reference")
    assert head == (
        f"model        tiny-phase-23\nfolder       {home}/models/tiny-phase-23\nsize         0.00 GB\n"
        "bits         32.00 a weight\nchanged      4 of 15 layers\n"
    )
    shown = (
        r"reference    tiny \+ phase-23\nrows         2, \d+ tokens that the model wrote\n"
        r"agreement    100.0% of tokens, 2 of 2 rows throughout\nKL           mean \S+, max \S+ nats\n"
        r"programs     2 of 2 the same, 2 of them word for word\ncompared as  float32\n"
    )
    assert re.fullmatch(shown, ran.stdout.removeprefix(head))
    again = punie("models", "compare", "tiny-phase-23", "--check-rows", "2")
    assert (again.code, bool(re.fullmatch(shown, again.stdout))) == (0, True)
    other = punie("models", "compare", "tiny-phase-23", "tiny", "--check-rows", "1", "--json")
    assert (json.loads(other.stdout)["reference"], json.loads(other.stdout)["rows"]) == ("tiny", 1)
    assert read_record(home / "models" / "tiny-phase-23")["equivalence"]["reference"] == "tiny + phase-23"
