"""`punie use`: what the gate and the comparison let through, what is rejected, back again, kills, two at once."""

import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from punie_cli.agent.open import Connected, choose
from punie_cli.cli import App
from punie_cli.evaluation import results
from punie_cli.models import history, store
from punie_cli.models.building import locked
from punie_cli.models.store import InUse
from punie_cli.paths import data_dir
from punie_cli.settings import Settings
from punie_cli.training.summary import Summary
from tests.command_line import CharTokenizer, Ran, punie
from tests.evals import case_run, eval_run
from tests.evaluating import EchoEngine, write_suite
from tests.tiny import make_tiny_model
from tests.tiny_adapter import make_adapter

PHASE = """
number = {number}
title = "mine"
base = "smollm2-135m"
[rows]
[rows.groups]
direct = 10
[eval]
suite = "{suite}"
gate = {gate}
groups = {groups}
"""
NAMES = ["c0", "c1", "c2", "c3"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the embedded model (a tiny one), and adapters of two phases on it."""
    home = tmp_path_factory.mktemp("made")
    base = make_tiny_model(home / "data" / "models" / "smollm2-135m")
    first = make_adapter(home / "data" / "adapters" / "phase-90", base, name="smollm2-135m")
    shutil.copytree(first, home / "data" / "adapters" / "phase-91")
    return home


@pytest.fixture
def bench(made: Path, punie_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Bench":
    shutil.copytree(made, punie_home)
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    monkeypatch.setattr("punie_cli.paths.shipped_adapters", lambda: nothing)
    return Bench(tmp_path / "s.toml")


class Bench:
    """A suite `s` of four cases, the last two of the group `hard`; phases 90 and 91, and what each answers wrongly.

    `wrong` is by the mark of an adapter, "" for the base alone; `asked` says who was asked what.
    """

    def __init__(self, suite: Path) -> None:
        self.suite = suite
        self.wrong: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.on: Callable[[str], Any] = lambda text: None
        write_suite(suite, NAMES[:2])
        text = suite.read_text() + "".join(_case(name) for name in NAMES[2:])
        suite.write_text(text)
        for number in (90, 91):
            self.phase(number)
            self.train(number)

    def phase(self, number: int, gate: float = 0.5, groups: str = "{ hard = 1 }") -> None:
        path = data_dir() / "phases" / f"{number}.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PHASE.format(number=number, suite=self.suite, gate=gate, groups=groups))

    def train(self, number: int, mark: str = "") -> None:
        """Another adapter of this phase; `mark` makes it one."""
        path = data_dir() / "adapters" / f"phase-{number}" / "punie.json"
        record = json.loads(path.read_text()) | {"phase": number, "mark": f"{number}{mark}"}
        path.unlink()
        path.write_text(json.dumps(record))

    async def connect(self, settings: Settings) -> Connected:
        choice = choose(settings)
        mark = json.loads((choice.adapter / "punie.json").read_text())["mark"] if choice.adapter else ""

        def note(text: str) -> Any:
            self.asked.append(f"{mark} {text}")
            return self.on(text)

        return Connected(EchoEngine(self.wrong.get(mark, ()), note), CharTokenizer(), choice.core)

    def use(self, *args: str) -> Ran:
        return punie("use", *args, use=App(connect=self.connect))

    def kept(self, number: int) -> InUse:
        """What is in use after the present adapter of a phase was put in use."""
        (found,) = (data_dir() / "adapters").glob(f"phase-{number}-*")
        return InUse("smollm2-135m", found.name)


def _case(name: str) -> str:
    return (
        f'[[case]]\nname = "{name}"\ngroup = "hard"\nprompt = "say {name}"\n'
        f'[case.expect]\nanswer_all = ["{name}"]\nno_calls = true\n'
    )


BASE = InUse("smollm2-135m")


def plain(text: str) -> str:
    """Without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "TIME", text)
    return re.sub(r"phase-(\d+)-[0-9a-f]{8}", r"phase-\1-HASH", text)


def test_what_holds_its_gate_is_put_in_use(bench: Bench) -> None:
    bench.wrong = {"": ["c0", "c3"], "90": ["c1"]}
    done = bench.use("90")
    assert (done.code, plain(done.stdout)) == (
        0,
        """\
in use    smollm2-135m + phase-90-HASH
since     TIME UTC, by punie use 90
phase     90
gate      3 of 4 cases of s (75%), 50% asked for, by e0001
          hard 2 of 2
compared  with smollm2-135m on s: +25.0 points (-46.1 to +74.7), no difference seen, by e0002
before    smollm2-135m (punie use previous)
""",
    )
    assert store.in_use() == bench.kept(90)
    assert choose(Settings()).adapter == data_dir() / "adapters" / (bench.kept(90).adapter or "")
    assert bench.asked == [f"90 {name}" for name in NAMES] + [f" {name}" for name in NAMES]
    # What is trained later under the same name is not in use by that.
    bench.train(90, "b")
    assert choose(Settings()).adapter == data_dir() / "adapters" / (bench.kept(90).adapter or "")
    again = bench.use("phase-90")
    assert (again.code, len(bench.asked)) == (0, 12)
    assert "compared  with smollm2-135m + phase-90-" in again.stdout and len(history.read().before) == 2
    # All is known: nothing is run.
    assert (bench.use("90").code, len(bench.asked), len(history.read().before)) == (0, 12, 2)


def test_one_group_is_enough_to_be_rejected(bench: Bench) -> None:
    bench.wrong = {"90": ["c2", "c3"]}
    done = bench.use("90")
    assert (done.code, done.stdout, bench.asked) == (4, "", [f"90 {name}" for name in NAMES])
    assert done.stderr.splitlines()[-2:] == [
        "Error: smollm2-135m + phase-90 is not put in use, smollm2-135m stays: hard 0 of 2, 1 are asked for",
        "Try: punie eval show e0001, or punie use 90 --force",
    ]
    assert store.in_use() == BASE and not list((data_dir() / "adapters").glob("phase-90-*"))
    shown = bench.use()
    assert (shown.code, plain(shown.stdout), shown.stderr) == (
        0,
        """\
in use    smollm2-135m
since     always: nothing else was put in use
rejected  smollm2-135m + phase-90, TIME
          hard 0 of 2, 1 are asked for
""",
        "",
    )
    found = json.loads(bench.use("90", "--json").stdout)
    assert (found["asked"], found["put"], found["missed"]) == ("90", False, ["hard 0 of 2, 1 are asked for"])
    (rejected,) = found["rejected"]
    assert rejected["judged"] == {
        "suite": "s", "evaluation": "e0001", "passed": 2, "n": 4, "share": 0.5, "least": 0.5,
        "groups": {"hard": [0, 2]},
    }  # fmt: skip
    # With another gate the same result holds, and is rejected no more.
    bench.phase(90, groups="{}")
    assert bench.use("90").code == 0 and history.read().rejected == ()


def test_worse_beyond_chance_is_rejected_and_force_says_so(bench: Bench) -> None:
    bench.wrong = {"90": NAMES, "91": ["c3"]}
    bench.phase(90, gate=0.0, groups="{}")
    done = bench.use("90")
    missed = "worse than smollm2-135m on s beyond chance: 0% after 100% of 4 cases (95 % interval -100 to -31 points)"
    assert done.code == 4
    assert done.stderr.splitlines()[-2] == (
        f"Error: smollm2-135m + phase-90 is not put in use, smollm2-135m stays: {missed}"
    )
    (rejected,) = history.read().rejected
    assert (store.in_use(), rejected.missed, rejected.judged["compared"][0]["with"]) == (BASE, (missed,), "e0002")
    forced = bench.use("90", "--force", "--json")
    assert (forced.code, len(bench.asked)) == (0, 8)
    found = json.loads(forced.stdout)
    assert (found["put"], found["missed"], found["rejected"]) == (True, [missed], [])
    assert (found["in_use"]["forced"], found["in_use"]["how"]) == (True, "punie use 90 --force")
    assert store.in_use() == bench.kept(90)
    assert f"forced    it was put in use although:\n          {missed}\n" in bench.use().stdout
    # A little worse is chance.
    assert [bench.use(name).code for name in ("previous", "91")] == [0, 0]


def test_back_and_further_back(bench: Bench) -> None:
    assert [bench.use(name).code for name in ("90", "91")] == [0, 0]
    asked = len(bench.asked)
    assert punie("models", "use", "embedded", "--adapter", "none").code == 0
    assert [each.label for each in history.read().before] == [
        f"smollm2-135m + {bench.kept(91).adapter}", f"smollm2-135m + {bench.kept(90).adapter}", "smollm2-135m",
    ]  # fmt: skip
    back = bench.use("previous")
    assert back.code == 0 and back.stdout.startswith(f"in use    smollm2-135m + {bench.kept(91).adapter}\n")
    assert "since     " in back.stdout and "by punie use 91\n" in back.stdout
    assert (store.in_use(), bench.use("previous").code, store.in_use()) == (bench.kept(91), 0, bench.kept(90))
    assert (bench.use("previous").code, store.in_use(), len(bench.asked)) == (0, BASE, asked)
    none = bench.use("previous")
    assert none == Ran(3, "", "Error: nothing was in use before smollm2-135m\nTry: punie use\n")
    assert bench.use("previous", "--force").code == 2


def test_back_passes_over_what_is_gone(bench: Bench) -> None:
    for name in ("90", "91"):
        bench.use(name)
    punie("models", "use", "embedded", "--adapter", "none")
    gone = bench.kept(91).adapter or ""
    shutil.rmtree(data_dir() / "adapters" / gone)
    back = bench.use("previous")
    assert (back.code, back.stderr) == (
        0,
        f"smollm2-135m + {gone} is passed over: adapter {gone} is gone\n",
    )
    assert store.in_use() == bench.kept(90)
    # And what is in use may go as well: then it is the embedded model, and that is said.
    gone = bench.kept(90).adapter or ""
    shutil.rmtree(data_dir() / "adapters" / gone)
    lost = f"smollm2-135m + {gone} was in use, and adapter {gone} is gone: the embedded model is used"
    asked = punie("ask", "hi", replies=["hello"])
    assert (asked.code, asked.stdout) == (0, "hello\n")
    assert asked.stderr.splitlines()[0] == f"Warning: {lost}; see: punie use"
    assert json.loads(bench.use("--json").stdout)["lost"] == lost


def test_what_is_no_result_of_this_adapter_and_suite_is_not_used(bench: Bench) -> None:
    bench.phase(90, gate=1.0)
    cases = [case_run(name, suite="s", group="hard" if name > "c1" else "") for name in NAMES]
    of: dict[str, Any] = {"model": "smollm2-135m", "adapter": "phase-90", "phase": 90}
    results.save(eval_run(cases, **of))
    bench.wrong = {"90": ["c0"]}
    assert (bench.use("90").code, bench.asked) == (4, [f"90 {name}" for name in NAMES])
    # Trained anew: other weights, another result.
    bench.train(90, "b")
    assert (bench.use("90").code, len(bench.asked)) == (0, 12)
    # Another suite by its content: all are tried again.
    bench.suite.write_text(bench.suite.read_text() + _case("c4"))
    assert (bench.use("90").code, len(bench.asked), len(results.load("e0005").cases)) == (0, 17, 5)


def test_a_result_among_those_of_other_suites_is_used(bench: Bench, tmp_path: Path) -> None:
    write_suite(tmp_path / "t.toml", ["x"])
    args = ["--suite", str(bench.suite), "--suite", str(tmp_path / "t.toml")]
    for chosen in (["--adapter", "phase-90"], ["--adapter", "none"]):
        assert punie("eval", "--model", "smollm2-135m", *chosen, *args, use=App(connect=bench.connect)).code == 0
    done = bench.use("90")
    assert (done.code, len(bench.asked)) == (0, 10)
    assert done.stderr == (
        "smollm2-135m + phase-90 on s: 4 of 4 cases, by e0001\nsmollm2-135m on s: 4 of 4 cases, by e0002\n"
    )


def test_another_suite_only_adds(bench: Bench, tmp_path: Path) -> None:
    write_suite(tmp_path / "t.toml", ["x0", "x1", "x2", "x3"])
    bench.wrong = {"90": ["x0", "x1", "x2", "x3"]}
    done = bench.use("90", "--suite", str(tmp_path / "t.toml"))
    assert done.code == 4 and "worse than smollm2-135m on t beyond chance" in done.stderr
    # A model without a phase has nothing but that.
    alone = bench.use("embedded")
    assert alone.code == 2
    assert alone.stderr.startswith(
        "Error: smollm2-135m is of no phase: it has no gate\nTry: punie use embedded --suite"
    )
    assert bench.use("embedded", "--suite", "nowhere").code == 3


def test_names_that_mean_nothing(bench: Bench) -> None:
    for name, code, message in (
        ("92", 3, "Error: there is no phase 92; there are: 22, 23, 24, 25, 28, 90, 91"),
        ("phase-9", 3, "Error: no phase, adapter or model 'phase-9'; did you mean phase-91 or phase-90 or phase-28?"),
        ("22", 3, "Error: phase 22 has no result yet"),
    ):
        done = bench.use(name)
        assert (done.code, done.stdout, done.stderr.splitlines()[0]) == (code, "", message)
    assert not history.in_use_file().exists()


def test_settings_that_hide_what_is_in_use_are_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNIE_ADAPTER", "none")
    assert bench.use("22").stderr.splitlines()[0] == (
        "the settings name a model or an adapter, which comes before what is in use: punie doctor"
    )


class Killed(BaseException):
    """What a kill looks like from inside: nothing may catch it."""


@pytest.mark.parametrize("where", ["the evaluation", "the copy", "the record"])
def test_a_kill_changes_nothing_and_the_same_command_goes_on(
    where: str, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*args: Any, **options: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        if where == "the evaluation":
            bench.on = lambda text: die() if text == "c2" else None
        elif where == "the copy":
            patch.setattr("punie_cli.models.building.sync", die)
        else:
            patch.setattr("punie_cli.models.history.write_json", die)
        with pytest.raises(Killed):
            bench.use("90")
    assert (store.in_use(), history.in_use_file().exists()) == (BASE, False)
    bench.on = lambda text: None
    assert (bench.use("90").code, store.in_use()) == (0, bench.kept(90))
    tries = {"the evaluation": 9}.get(where, 8)
    assert len(bench.asked) == tries
    assert not list(data_dir().glob("**/.*.part"))


def test_ctrl_c_says_how_to_go_on(bench: Bench) -> None:
    async def interrupt(text: str) -> None:
        if text == "c2":
            signal.raise_signal(signal.SIGINT)

    bench.on = lambda text: interrupt(text)
    done = bench.use("90", "--force")
    assert (done.code, done.stderr.splitlines()[-2:]) == (
        130,
        ["Error: interrupted; cases that are done are kept", "Try: punie use 90 --force"],
    )
    assert store.in_use() == BASE


def test_two_at_once(bench: Bench) -> None:
    with locked(data_dir() / "use", 0):
        done = bench.use("90")
        assert done == Ran(75, "", "Error: another `punie use` is at work\nTry: try again when it has ended\n")
        assert bench.use().code == 0
    # `punie models use` may come between.
    bench.on = lambda text: store.use("embedded", "none") if text == "c3" else None
    done = bench.use("90")
    assert (done.code, done.stderr.splitlines()[-2]) == (
        75,
        "Error: smollm2-135m was put in use meanwhile, after smollm2-135m was",
    )
    bench.on = lambda text: None
    assert store.in_use() == InUse("smollm2-135m", "none")
    assert (bench.use("90").code, store.in_use()) == (0, bench.kept(90))


def test_a_pipeline_puts_nothing_in_use_and_says_how(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("punie_cli.training.pipeline.run_pipeline", lambda **options: Summary(90, "tiny", (), None))
    done = punie("train", "--phase", "90", "--through", "eval")
    assert done == Ran(0, "", "nothing was put in use by this: punie use 90\n")
