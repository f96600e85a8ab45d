"""Evaluations: order, what is kept, gone on with and shown, and what a kill, a crash or a second process does."""

import asyncio
import contextlib
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.agent.open import Connected
from punie_cli.errors import BusyError, GateError, MissingError, PunieError, UsageError
from punie_cli.evaluation import results
from punie_cli.evaluation.evaluate import Begun, Ended, Shown, evaluate
from punie_cli.evaluation.measure import Tried, measure
from punie_cli.evaluation.plan import Plan, choose_suites, engine_for, parse_share, require
from punie_cli.evaluation.results import EvalRun
from punie_cli.settings import Settings
from tests.command_line import CharTokenizer
from tests.evals import case_run, eval_run
from tests.evaluating import EchoEngine, connecting, write_suite
from tests.tiny import make_tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def settings(model: Path) -> Settings:
    return Settings(model=str(model), adapter="none")


def run(work: Coroutine[Any, Any, EvalRun]) -> EvalRun:
    return asyncio.run(work)


def outcome(run: EvalRun) -> list[tuple[str, int, bool, str]]:
    return [(case.case, case.sample, case.passed, case.reason) for case in run.cases]


def test_the_result_has_the_order_of_the_suite_whatever_ends_first(settings: Settings, tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.toml", ["a", "b", "c", "d"])
    gates = {name: asyncio.Event() for name in "abcd"}

    async def hold(text: str) -> None:
        await gates[text].wait()

    engine = EchoEngine(["b"], hold)
    gates["c"].set()
    ended: list[Ended] = []

    def note(event: Any) -> None:
        # Each that ends lets the next one go, the last first.
        if isinstance(event, Ended):
            ended.append(event)
            gates[{"c": "d", "d": "b", "b": "a", "a": "a"}[event.case.case]].set()

    done = run(evaluate(settings, Plan((suite,), batch=3), note=note, connect=connecting(engine)))
    assert [(event.case.case, event.done, event.of) for event in ended] == [
        ("c", 1, 4), ("d", 2, 4), ("b", 3, 4), ("a", 4, 4),
    ]  # fmt: skip
    # The first three begin at once: each lists its project in a thread of its own before it asks.
    assert (sorted(engine.asked[:3]), engine.asked[3:], engine.most) == (["a", "b", "c"], ["d"], 3)
    assert ended[-1].seconds_left == 0
    assert outcome(done) == [
        ("a", 0, True, ""), ("b", 0, False, "the answer lacks b"), ("c", 0, True, ""), ("d", 0, True, ""),
    ]  # fmt: skip
    assert (done.of, done.batch, done.passed, done.finished is not None) == (4, 3, 3, True)
    first = done.cases[0]
    assert (first.steps, first.prompt_tokens, first.completion_tokens, first.prompts) == (1, 100, 2, ("say a",))
    assert [record["type"] for record in first.records] == ["session", "prompt", "usage", "answer"]
    assert done == results.load(done.id) == results.resolve("last")


def test_what_has_finished_is_shown(settings: Settings, model: Path, tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.toml")
    plan = Plan((suite,))
    done = run(evaluate(settings, plan, connect=connecting(EchoEngine())))

    def same(settings: Settings = settings, plan: Plan = plan, **options: Any) -> tuple[str, list[Any]]:
        events: list[Any] = []
        found = run(evaluate(settings, plan, note=events.append, connect=connecting(EchoEngine()), **options))
        return found.id, [type(event) for event in events]

    assert same() == (done.id, [Shown])
    # Neither where a model lies nor how many cases run at once decides anything.
    moved = tmp_path / "elsewhere"
    moved.symlink_to(model)
    assert same(settings.model_copy(update={"model": str(moved)}), Plan((suite,), batch=2)) == (done.id, [Shown])
    assert same(again=True) == ("e0002", [Begun, Ended, Ended, Ended])
    assert same() == ("e0002", [Shown])
    assert same(settings.model_copy(update={"max_tokens": 9}))[0] == "e0003"
    assert same(settings.model_copy(update={"check_programs": False}))[0] == "e0004"
    assert same(plan=Plan((suite,), only=("two",))) == ("e0005", [Begun, Ended])
    assert same(plan=Plan((suite,), temperature=0.5))[0] == "e0006"
    changed = write_suite(tmp_path / "s.toml", ["one", "two", "four"])
    assert same(plan=Plan((changed,)))[0] == "e0007"


def test_samples(settings: Settings, tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.toml", ["a", "b"])
    plan = Plan((suite,), samples=2, temperature=0.5)
    done = run(evaluate(settings, plan, connect=connecting(EchoEngine(["b"]))))
    missed = "the answer lacks b"
    assert outcome(done) == [("a", 0, True, ""), ("a", 1, True, ""), ("b", 0, False, missed), ("b", 1, False, missed)]
    with pytest.raises(UsageError) as caught:
        Plan((suite,), samples=3)
    assert (caught.value.message, caught.value.hint) == (
        "3 samples of a case are all the same at temperature 0",
        "punie eval --samples 3 --temperature 0.7",
    )


def test_a_crash_is_a_failed_case_and_short_memory_is_not(settings: Settings, tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.toml")

    def fail(text: str) -> None:
        if text == "one":
            raise KeyError("one\nis gone")
        if text == "two":
            raise PunieError("the model failed")
        if text == "three":
            raise BusyError("out of memory", "close something")

    with pytest.raises(BusyError, match="out of memory"):
        run(evaluate(settings, Plan((suite,)), connect=connecting(EchoEngine(on=fail))))
    (begun,) = results.list_runs()
    assert (begun.finished, [case.case for case in begun.cases]) == (None, ["one", "two"])
    events: list[Any] = []
    done = run(evaluate(settings, Plan((suite,)), note=events.append, connect=connecting(EchoEngine())))
    assert (events[0].run, events[0].kept, events[0].of) == (begun.id, 2, 3)
    assert outcome(done) == [
        ("one", 0, False, "no answer: KeyError: 'one\\nis gone'"),
        ("two", 0, False, "no answer: the model failed"),
        ("three", 0, True, ""),
    ]


def test_an_engine_that_answers_nothing_is_no_score(settings: Settings, tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.toml", ["a", "b", "c", "d", "e"])

    def fail(text: str) -> None:
        if text != "a":
            raise PunieError("the model failed")

    with pytest.raises(PunieError) as caught:
        run(evaluate(settings, Plan((suite,)), connect=connecting(EchoEngine(on=fail))))
    assert caught.value.message == ("3 cases in a row broke before the first reply: no answer: the model failed")
    (begun,) = results.list_runs()
    assert (begun.finished, [case.case for case in begun.cases]) == (None, ["a"])
    done = run(evaluate(settings, Plan((suite,)), connect=connecting(EchoEngine())))
    assert (done.id, done.passed) == (begun.id, 5)


def test_all_at_once_break_and_none_is_kept(settings: Settings, tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.toml", [f"case{n}" for n in range(8)])
    asked, failed = [0], asyncio.Event()

    async def fail(text: str) -> None:
        # As when what all share is lost: all are told in the same moment.
        asked[0] += 1
        if asked[0] == 5:
            failed.set()
        await failed.wait()
        raise PunieError("the model failed")

    with pytest.raises(PunieError, match="3 cases in a row broke"):
        run(evaluate(settings, Plan((suite,), batch=5), connect=connecting(EchoEngine(on=fail))))
    (begun,) = results.list_runs()
    assert (begun.finished, begun.cases) == (None, ())


def test_suites_in_another_order_are_the_same_evaluation(settings: Settings, tmp_path: Path) -> None:
    one, two = write_suite(tmp_path / "one.toml", ["a", "b"]), write_suite(tmp_path / "two.toml", ["c", "d"])

    def stop(text: str) -> None:
        if text == "b":
            raise BusyError("out of memory", "close something")

    with pytest.raises(BusyError):
        run(evaluate(settings, Plan((one, two)), connect=connecting(EchoEngine(on=stop))))
    engine = EchoEngine()
    done = run(evaluate(settings, Plan((two, one)), connect=connecting(engine)))
    assert (done.id, done.suites, engine.asked) == ("e0001", ("one", "two"), ["b", "c", "d"])
    assert [(case.suite, case.case) for case in done.cases] == [("one", "a"), ("one", "b"), ("two", "c"), ("two", "d")]


_CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from punie_cli.evaluation.evaluate import Ended, evaluate
from punie_cli.evaluation.plan import Plan
from punie_cli.evaluation.suites import load
from punie_cli.settings import Settings

def note(event):
    if isinstance(event, Ended) and event.done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

settings = Settings(model=sys.argv[1], adapter="none", max_tokens=4, max_steps=1)
asyncio.run(evaluate(settings, Plan((load(Path(sys.argv[2])),)), note=note))
"""


def test_a_killed_evaluation_goes_on(model: Path, tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.toml")
    child = subprocess.run([sys.executable, "-c", _CHILD, model, tmp_path / "s.toml"], capture_output=True, text=True)
    assert (child.returncode, child.stdout, child.stderr) == (-9, "", "")
    (killed,) = results.list_runs()
    assert (killed.finished, len(killed.cases), killed.seconds > 0) == (None, 2, True)
    settings = Settings(model=str(model), adapter="none", max_tokens=4, max_steps=1)
    events: list[Any] = []
    done = run(evaluate(settings, Plan((suite,)), note=events.append))
    assert [(type(event), event.of) for event in events] == [(Begun, 3), (Ended, 3)]
    assert (done.id, done.cases[:2], len(done.cases)) == (killed.id, results.load(killed.id).cases[:2], 3)
    assert done.seconds > killed.seconds
    assert not list((tmp_path / "punie-home" / "data" / "evals").glob(".e*"))


def test_three_evaluations_at_once_on_one_store(settings: Settings, tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.toml", [f"case{n}" for n in range(6)])
    together = threading.Barrier(3)
    found: list[EvalRun] = []

    def work(settings: Settings) -> None:
        met: list[str] = []

        def meet(text: str) -> None:
            # All three are in their first case before any ends it.
            if not met:
                together.wait(60)
            met.append(text)

        plan = Plan((suite,), batch=2)
        found.append(run(evaluate(settings, plan, connect=connecting(EchoEngine(on=meet)))))

    others = [settings, settings, settings.model_copy(update={"max_steps": 3})]
    threads = [threading.Thread(target=work, args=(each,)) for each in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(run.id for run in found) == ["e0001", "e0002", "e0003"]
    assert all(run.passed == 6 and run == results.load(run.id) for run in found)


def test_runs_of_a_sealed_suite_are_counted(settings: Settings, tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.toml", ["a"], head="sealed = true")
    events: list[Any] = []
    for _ in range(2):
        done = run(evaluate(settings, Plan((suite,)), again=True, note=events.append, connect=connecting(EchoEngine())))
    assert [event.seen for event in events if isinstance(event, Begun)] == [{"s": ()}, {"s": (settings.model,)}]
    assert done.sealed == ("s",)


def test_measure_keeps_its_evaluation(settings: Settings, tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.toml", ["a", "b"])
    told: list[Tried] = []
    found = asyncio.run(measure(settings, suite, note=told.append, connect=connecting(EchoEngine(["b"]))))
    assert found.suite == results.resolve("last")
    assert told == [Tried("a", True, "", 1, 2), Tried("b", False, "the answer lacks b", 2, 2)]
    assert (found.n, found.passed, found.share) == (2, 1, 0.5)
    record = found.as_record()
    assert record["suite"] == {"name": "s", "passed": 1, "n": 2, "share": 0.5, "interval": [0.0945, 0.9055]}
    assert (record["evaluation"], [case["answer"] for case in record["cases"]]) == ("e0001", ["a", "something else"])
    lines = [json.loads(line) for line in found.records().splitlines()]
    assert [line["case"] for line in lines] == ["a"] * 4 + ["b"] * 4
    again = asyncio.run(measure(settings, suite, note=told.append, connect=connecting(EchoEngine())))
    assert (again.suite, len(told)) == (found.suite, 2)


def test_suites_are_chosen_by_name_or_file(tmp_path: Path) -> None:
    assert [suite.name for suite in choose_suites()] == ["foundation", "phase23"]
    mine = write_suite(tmp_path / "mine.toml")
    assert choose_suites([str(tmp_path / "mine.toml"), "foundation", "foundation"])[0] == mine
    with pytest.raises(MissingError) as missing:
        choose_suites(["fondation"])
    assert missing.value.message.startswith("no suite 'fondation'; did you mean foundation")
    with pytest.raises(UsageError) as wrong:
        Plan((mine,), only=("tow",))
    assert wrong.value.message == "no case 'tow' in mine; did you mean two?"
    write_suite(tmp_path / "other" / "mine.toml", ["x"])
    with pytest.raises(UsageError, match="two suites are named 'mine'"):
        choose_suites([str(tmp_path / "mine.toml"), str(tmp_path / "other" / "mine.toml")])


@pytest.mark.parametrize("given, opened", [(None, [8, 1]), (4, [4]), (1, [1])])
async def test_a_model_that_cannot_be_batched_answers_one_by_one(
    given: int | None, opened: list[int], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    async def connect(settings: Settings, *, temperature: float, batch: int = 1) -> Connected:
        tried.append(batch)
        if batch > 1:
            raise UsageError("its caches cannot be laid side by side", "punie eval --batch 1")
        return Connected(EchoEngine(), CharTokenizer())

    monkeypatch.setattr("punie_cli.evaluation.plan.connect_mlx", connect)
    opens, size = engine_for(0.5, given)
    with contextlib.suppress(UsageError):
        await opens(settings)
    assert (tried, size) == (opened, given or 8)


@pytest.mark.parametrize("text, share", [("0.8", 0.8), ("80", 0.8), ("80%", 0.8), ("1", 1.0), ("0", 0.0), ("1%", 0.01)])
def test_a_share_as_people_write_it(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "most", "-1", "101", "nan", "200%"])
def test_no_share(text: str) -> None:
    with pytest.raises(UsageError, match="is no share"):
        parse_share(text)


def test_each_suite_must_reach_the_share() -> None:
    cases = [
        case_run("a", suite="x"),
        case_run("b", suite="x"),
        case_run("a", suite="y"),
        case_run("b", False, suite="y"),
    ]
    require(eval_run(cases), 0.5)
    with pytest.raises(GateError) as caught:
        require(eval_run(cases), 0.75)
    assert (caught.value.message, caught.value.hint) == ("below 75%: y has 1 of 2 (50%)", "punie eval show e0001")


def test_a_run_is_found_by_many_names() -> None:
    first = results.save(eval_run([case_run("a")], model="small", adapter="phase-23", phase=23))
    second = results.save(eval_run([case_run("a")], model="small", adapter="small", phase=24))
    unfinished = results.save(eval_run([], model="large").model_copy(update={"finished": None}))
    assert (
        [run.id for run in results.list_runs()] == [first.id, second.id, unfinished.id] == ["e0001", "e0002", "e0003"]
    )
    assert (first.subject.label, second.subject.label) == ("small + phase-23", "small + phase-24")
    names = {"23": first, "phase-23": first, "small + phase-23": first, "e1": first, "e0001": first}
    names |= {"small": second, "24": second, "small + phase-24": second, "last": second, "e0003": unfinished}
    assert {name: results.resolve(name).id for name in names} == {name: run.id for name, run in names.items()}
    messages = {
        "phase-2": "no evaluation 'phase-2': did you mean phase-24 or phase-23 or small + phase-24?",
        "large": "no evaluation 'large' has finished; e0003 is unfinished",
        "e0009": "no evaluation 'e0009': did you mean e0003 or e0002 or e0001?",
    }
    for name, message in messages.items():
        with pytest.raises(MissingError) as caught:
            results.resolve(name)
        assert caught.value.message == message


def test_no_run_yet() -> None:
    assert results.list_runs() == []
    with pytest.raises(MissingError) as caught:
        results.resolve("last")
    assert (caught.value.message, caught.value.hint) == ("no evaluation 'last': there is none yet", "punie eval")


def test_a_change_that_sqlite_ended_itself_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    run = results.save(eval_run([]))

    def full(store: sqlite3.Connection, *rest: Any) -> None:
        store.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(results, "_insert", full)
    with pytest.raises(PunieError, match="which fails: database or disk is full"):
        results.add_case(run.id, 0, case_run("a"), 1.0)


text = st.text(st.characters(codec=None, categories=None), max_size=20)


@given(st.lists(st.tuples(text, st.dictionaries(text, text | st.integers(-9, 9) | st.none(), max_size=3)), max_size=3))
def test_what_is_kept_is_what_was_there(values: list[tuple[str, dict[str, Any]]]) -> None:
    cases = [
        case_run(f"c{n}", False).model_copy(update={"reason": text, "records": ({"type": "call", "args": args},)})
        for n, (text, args) in enumerate(values)
    ]
    kept = results.save(eval_run(cases))
    assert results.load(kept.id) == eval_run(cases).model_copy(update={"id": kept.id})
