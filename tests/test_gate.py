"""The gate as pure judgement, and the file of what is in use: a stack, written whole, under one lock."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punie_cli.errors import BusyError, MissingError, UsageError
from punie_cli.evaluation.results import Subject
from punie_cli.evaluation.subject import subject_of
from punie_cli.models import history
from punie_cli.models.history import DEFAULT, Entry
from punie_cli.settings import Settings
from punie_cli.training import gate
from punie_cli.training.candidate import Candidate, find, keep
from punie_cli.training.fingerprints import adapter_hash
from punie_cli.training.phase import Eval
from tests.evals import case_run, eval_run, passes
from tests.tiny import make_tiny_model
from tests.tiny_adapter import make_adapter


def test_a_gate_names_all_that_was_missed() -> None:
    cases = [*passes("++-", group="fix"), case_run("d", group="read"), case_run("x", False, suite="other")]
    run = eval_run(cases)
    found = gate.judge(Eval(suite="core", gate=0.8, groups={"fix": 3, "read": 1, "gone": 1}), "core", run)
    assert found.missed == (
        "3 of 4 cases of core, 4 are asked for (80%)",
        "fix 2 of 3, 3 are asked for",
        "gone 0 of 0, 1 are asked for",
    )
    assert found.as_record() == {
        "suite": "core",
        "evaluation": "e0001",
        "passed": 3,
        "n": 4,
        "share": 0.75,
        "least": 0.8,
        "groups": {"fix": [2, 3], "read": [1, 1], "gone": [0, 0]},
    }
    assert gate.judge(Eval(suite="core", gate=0.75, groups={"fix": 2}), "core", run).missed == ()


@given(st.integers(1, 60), st.data())
def test_a_share_is_missed_by_whole_cases(n: int, data: st.DataObject) -> None:
    passed = data.draw(st.integers(0, n))
    least = data.draw(st.floats(0, 1) | st.integers(0, n).map(lambda k: k / n))
    missed = gate.below(passed, n, least, "cases")
    assert bool(missed) == (passed / n < least)
    if missed:
        wanted = int(missed[0].partition(", ")[2].partition(" ")[0])
        assert passed < wanted <= n and wanted / n >= least > (wanted - 1) / n


def test_no_case_reaches_no_gate() -> None:
    assert gate.below(0, 0, 0.0, "cases of x") == ("0 of 0 cases of x, 0 are asked for (0%)",)


def test_worse_beyond_chance_is_said_with_figures() -> None:
    used, run = eval_run(passes("++++++++++"), "e0001", "old"), eval_run(passes("+++-------"), "e0002", "new")
    found = gate.against("core", "old", used, run)
    assert found.missed == (
        "worse than old on core beyond chance: 30% after 100% of 10 cases (95 % interval -89 to -29 points)",
    )
    assert (found.lost, found.as_record()["verdict"]) == (tuple(f"c{n}" for n in range(3, 10)), "worse")
    # Two cases fewer are within chance.
    assert gate.against("core", "old", used, eval_run(passes("++++++++--"))).missed == ()
    # Cases of other suites do not count.
    both = eval_run([*passes("++++++++++"), *passes("----------", suite="other")])
    assert gate.against("core", "old", both, both).difference.n == 10


# the file


def entry(name: str, **fields: Any) -> Entry:
    return Entry(model=name, **fields)


def names() -> tuple[str, list[str]]:
    found = history.read()
    return found.now.model, [each.model for each in found.before]


moves = st.lists(st.sampled_from(["a", "b", "c", "back"]), max_size=12)


@settings(max_examples=20)
@given(moves)
def test_what_was_before_is_a_stack(moves: list[str]) -> None:
    history.in_use_file().unlink(missing_ok=True)
    now, before = DEFAULT.model, []
    for move in moves:
        if move != "back":
            history.put(entry(move))
            before = before if move == now else [now, *before]
            now = move
        elif before:
            history.back(lambda each: True)
            now, *before = before
        else:
            with pytest.raises(MissingError, match=f"nothing was in use before {now}"):
                history.back(lambda each: True)
        assert names() == (now, before)


def test_what_is_gone_is_passed_over() -> None:
    for name in ("a", "b", "c", "d"):
        history.put(entry(name))
    made, gone = history.back(lambda each: each.model == "a")
    assert (made.now.model, [each.model for each in gone]) == ("a", ["c", "b"])
    with pytest.raises(MissingError) as caught:
        history.back(lambda each: False)
    assert caught.value.message == f"nothing was in use before a: {DEFAULT.model} is gone"
    assert names() == ("a", [DEFAULT.model])


def test_rejected_is_kept_once_and_ends_with_being_put_in_use() -> None:
    bad = entry("a", weights="1", adapter_hash="2", missed=("x",))
    history.reject(bad)
    history.reject(entry("b", weights="3", missed=("y",)))
    history.reject(bad.model_copy(update={"missed": ("z",)}))
    assert [(each.model, each.missed) for each in history.read().rejected] == [("a", ("z",)), ("b", ("y",))]
    # The same by its hashes, under another name.
    history.put(entry("copy-of-a", weights="1", adapter_hash="2"))
    assert [each.model for each in history.read().rejected] == ["b"]
    assert names() == ("copy-of-a", [DEFAULT.model])


def test_only_what_was_compared_is_replaced() -> None:
    history.put(entry("a"))
    with pytest.raises(BusyError) as caught:
        history.put(entry("b"), expected=DEFAULT)
    assert caught.value.message == f"a was put in use meanwhile, after {DEFAULT.label} was"
    assert names() == ("a", [DEFAULT.model])


def test_many_at_once() -> None:
    threads = [threading.Thread(target=history.put, args=(entry(f"m{n}"),)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    now, before = names()
    assert (sorted([now, *before[:-1]]), before[-1]) == (sorted(f"m{n}" for n in range(12)), DEFAULT.model)


# candidates


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a base, and adapters on it."""
    home = tmp_path_factory.mktemp("made")
    base = make_tiny_model(home / "data" / "models" / "tiny")
    make_adapter(home / "data" / "adapters" / "phase-23", base, name="tiny")
    return home


@pytest.fixture
def home(made: Path, punie_home: Path) -> Path:
    shutil.copytree(made, punie_home)
    return punie_home / "data"


def fused(home: Path, name: str, source: str) -> Path:
    """A model that says it was made from this adapter."""
    folder = home / "models" / name
    shutil.copytree(home / "models" / "tiny", folder)
    adapter = {"phase": 23, "hash": adapter_hash(str(home / "adapters" / source))}
    lineage = {"made": "quantize", "of": {"made": "fuse", "adapter": adapter}}
    (folder / "punie.json").write_text(json.dumps({"source": "quantized", "lineage": lineage}))
    return folder


def test_what_suits_the_machine(home: Path) -> None:
    assert find("23", "cpu") == find("23", "metal") == find("phase-23") == Candidate("tiny", "phase-23")
    fused(home, "phase-23-5bit", "phase-23")
    assert find("23", "cpu") == Candidate("tiny", "phase-23")
    assert find("23", "metal") == find("23", "cuda") == find("phase-23-5bit") == Candidate("phase-23-5bit", "none")
    # Trained anew since: the model is that of the adapter before.
    (home / "adapters" / "phase-23" / "adapter_config.json").write_text("{}")
    assert find("23", "metal") == Candidate("tiny", "phase-23")
    shutil.rmtree(home / "adapters" / "phase-23")
    assert find("23", "cpu") == Candidate("phase-23-5bit", "none")
    assert find("tiny") == Candidate("tiny", "none")


def test_the_adapter_that_ships_is_found(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = home / "shipped"
    monkeypatch.setattr("punie_cli.paths.shipped_adapters", lambda: shipped)
    (home / "adapters" / "phase-23").rename(home / "x")
    with pytest.raises(MissingError) as caught:
        find("23")
    assert (caught.value.message, caught.value.hint) == (
        "phase 23 has no result yet",
        "punie train --phase 23 --through eval",
    )
    shipped.mkdir()
    (home / "x").rename(shipped / "tiny")
    assert find("23") == find("phase-23") == find("tiny") == Candidate("tiny", "tiny")


def test_names_that_mean_nothing(home: Path) -> None:
    for name, message in {
        "phase-32": "no phase, adapter or model 'phase-32'; did you mean phase-28 or phase-25 or phase-24?",
        "previuos": "no phase, adapter or model 'previuos'; did you mean previous?",
        "zzz": "no phase, adapter or model 'zzz'; phases: 22, 23, 24, 25, 28",
        "42": "there is no phase 42; there are: 22, 23, 24, 25, 28",
    }.items():
        with pytest.raises(MissingError) as caught:
            find(name)
        assert caught.value.message == message


def test_results_on_several_bases_are_named(home: Path) -> None:
    (home / "adapters" / "phase-23").rename(home / "adapters" / "phase-23-a")
    assert find("23") == Candidate("tiny", "phase-23-a")
    shutil.copytree(home / "adapters" / "phase-23-a", home / "adapters" / "phase-23-b")
    with pytest.raises(UsageError) as caught:
        find("23")
    assert caught.value.message == "phase 23 has results on several bases: phase-23-a, phase-23-b"
    # A copy that was put in use is no result of its own.
    shutil.rmtree(home / "adapters" / "phase-23-b")
    shutil.copytree(home / "adapters" / "phase-23-a", home / "adapters" / "phase-23-a-0123abcd")
    assert find("23") == Candidate("tiny", "phase-23-a")


def test_a_fused_model_is_kept_as_links(home: Path) -> None:
    folder = fused(home, "phase-23-5bit", "phase-23")
    subject = subject_for(Candidate("phase-23-5bit", "none"))
    kept = keep(Candidate("phase-23-5bit", "none"), subject)
    assert kept == Candidate(f"phase-23-5bit-{subject.weights[:8]}", "none") == keep(kept, subject)
    copy = home / "models" / kept.model
    assert (copy / "model.safetensors").samefile(folder / "model.safetensors")
    make_tiny_model(home / "other", seed=1)
    shutil.rmtree(copy)
    shutil.copy2(home / "other" / "model.safetensors", folder / "model.safetensors")
    with pytest.raises(BusyError, match="phase-23-5bit was changed while it was judged"):
        keep(Candidate("phase-23-5bit", "none"), subject)
    assert not copy.exists()
    assert keep(Candidate("tiny", "none"), subject_for(Candidate("tiny", "none"))) == Candidate("tiny", "none")


def subject_for(candidate: Candidate) -> Subject:
    return subject_of(candidate.under(Settings()))
