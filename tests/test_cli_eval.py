"""`punie eval` as a command: its table, its JSON object, its exit codes, Ctrl-C."""

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest

from punie_cli.cli import App
from punie_cli.evaluation import results
from tests.command_line import Ran, punie
from tests.evaluating import EchoEngine, connecting, write_suite
from tests.tiny import make_tiny_model


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(autouse=True)
def in_use(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNIE_MODEL", str(model))
    monkeypatch.setenv("PUNIE_ADAPTER", "none")


def evaluate(*args: str | Path, engine: EchoEngine | None = None) -> Ran:
    return punie("eval", *map(str, args), use=App(connect=connecting(engine or EchoEngine())))


def plain(text: str, model: Path) -> str:
    """Without what differs from run to run: times, and where the model lies."""
    text = re.sub(r" +\d+\.\d s\b", " N s", text.replace(str(model), "MODEL"))
    text = re.sub(r"\d{4}-\d\d-\d\dT[0-9:+]+", "TIME", text)
    return re.sub(r"(in|about) \d+ (s|min)", r"\1 N s", text)


def test_the_table_and_what_is_said_meanwhile(model: Path, tmp_path: Path) -> None:
    write_suite(tmp_path / "plain.toml", ["one", "two"])
    write_suite(tmp_path / "grouped.toml", ["a", "b", "c"], group="letters", head="sealed = true")
    args = ("--suite", tmp_path / "plain.toml", "--suite", tmp_path / "grouped.toml")
    done = evaluate(*args, engine=EchoEngine(["two", "b"]))
    table = """\
e0001  MODEL  in N s
suite    group    n  passed  share  95 % interval
plain             2       1    50%      9% to 91%
grouped           3       2    67%     21% to 94%
         letters  3       2    67%     21% to 94%
all               5       3    60%     23% to 88%
right: calls 5, files 5, answer 3 of 5
a case: 1.0 steps, 100 tokens read, 2 written, N s
"""
    assert (done.code, plain(done.stdout, model)) == (0, table)
    assert plain(done.stderr, model).splitlines() == [
        "e0001: MODEL, 5 cases; cfa: calls, files and answer are right; - marks what is not",
        "grouped is sealed: not run before; this run is counted",
        "1 of 5  pass  cfa N s  plain/one",
        "evaluating: 1 of 5 cases, about N s left",
        "2 of 5  FAIL  cf- N s  plain/two: the answer lacks two",
        "evaluating: 2 of 5 cases, about N s left",
        "3 of 5  pass  cfa N s  grouped/a",
        "evaluating: 3 of 5 cases, about N s left",
        "4 of 5  FAIL  cf- N s  grouped/b: the answer lacks b",
        "evaluating: 4 of 5 cases, about N s left",
        "5 of 5  pass  cfa N s  grouped/c",
    ]
    again = evaluate("run", *args)
    assert (again.code, again.stdout) == (0, done.stdout)
    assert plain(again.stderr, model) == (
        "e0001, finished TIME, is this evaluation: it is shown, not run again (--again)\n"
    )
    anew = evaluate(*args, "--again", "--case", "a")
    assert plain(anew.stderr, model).splitlines()[1] == (
        "grouped is sealed: run once before (1 with MODEL); this run is counted"
    )


def test_samples_and_their_order(model: Path, tmp_path: Path) -> None:
    write_suite(tmp_path / "s.toml", ["a", "b"])
    wrong: list[str] = []
    engine = EchoEngine(wrong, lambda text: wrong.append("b") if text == "b" else None)
    done = evaluate("--suite", tmp_path / "s.toml", "--samples", "2", "--temperature", "0.5", engine=engine)
    assert (
        plain(done.stdout, model)
        == """\
e0001  MODEL  in N s
suite  n  passed  share  95 % interval
s      4       2    50%      9% to 91%
2 samples of each case: pass@1 50%, pass^2 50%
right: calls 4, files 4, answer 2 of 4
a case: 1.0 steps, 100 tokens read, 2 written, N s
"""
    )
    assert "4 of 4  FAIL  cf- N s  s/b #2: the answer lacks b" in plain(done.stderr, model)


def test_json_is_one_object(model: Path, tmp_path: Path) -> None:
    suite = write_suite(tmp_path / "s.toml", ["a", "b"], group="g")
    done = evaluate("--suite", tmp_path / "s.toml", "--json", "--min", "80%", engine=EchoEngine(["b"]))
    assert done.code == 4
    assert done.stderr.splitlines()[-2:] == ["Error: below 80%: s has 1 of 2 (50%)", "Try: punie eval show e0001"]
    found = json.loads(done.stdout)
    kept = results.load("e0001")
    half = {"passed": 1, "n": 2, "share": 0.5, "interval": [0.0945, 0.9055]}
    whole = {"passed": 2, "n": 2, "share": 1.0, "interval": [0.3424, 1.0]}
    cost = found["scores"].pop("seconds")
    assert found == {
        "type": "eval",
        "id": "e0001",
        "started": kept.started,
        "finished": kept.finished,
        "subject": kept.subject.model_dump(),
        "suites": ["s"],
        "suite_hashes": {"s": suite.hash},
        "samples": 1,
        "temperature": 0.0,
        "batch": 1,
        "seconds": kept.seconds,
        "versions": kept.versions,
        "limits": {"max_steps": 8, "max_tokens": 512, "check_programs": 1},
        "only": [],
        "of": 2,
        "sealed": [],
        "label": str(model),
        "shown": False,
        "min": 0.8,
        "below": ["s"],
        "scores": {
            "parts": {"whole": half, "calls": whole, "files": whole, "answer": half},
            "suites": {"s": half},
            "groups": [{"suite": "s", "group": "g"} | half],
            "pass_k": [0.5],
            "steps": 1.0,
            "tokens": 2.0,
        },
        "cases": [
            {
                "suite": "s",
                "case": name,
                "group": "g",
                "sample": 0,
                "fields_asked": False,
                "passed": not reason,
                "calls": {"ok": True, "reason": ""},
                "files": {"ok": True, "reason": ""},
                "answer": {"ok": not reason, "reason": reason},
                "fields": None,
                "reason": reason,
                "prompts": [f"say {name}"],
                "steps": 1,
                "prompt_tokens": 100,
                "completion_tokens": 2,
                "seconds": case.seconds,
                "text": answer,
            }
            for (name, reason, answer), case in zip(
                [("a", "", "a"), ("b", "the answer lacks b", "something else")], kept.cases, strict=True
            )
        ],
    }
    assert cost >= 0
    assert kept.subject.path == str(model) and len(kept.subject.weights) == 64 and kept.subject.bits == 16.166


def test_exit_codes(tmp_path: Path) -> None:
    write_suite(tmp_path / "s.toml")
    file = str(tmp_path / "s.toml")
    (tmp_path / "bad.toml").write_text("fixture = 3\n")
    for args, code, message in (
        (("--suite", file, "--min", "1"), 0, None),
        (("--suite", "fondation"), 3, "Error: no suite 'fondation'; did you mean foundation?"),
        (("--suite", str(tmp_path / "none.toml")), 3, None),
        (("--suite", str(tmp_path / "bad.toml")), 2, None),
        (("--suite", file, "--case", "tow"), 2, "Error: no case 'tow' in s; did you mean two?"),
        (("--suite", file, "--min", "lots"), 2, None),
        (("--suite", file, "--samples", "2"), 2, "Error: 2 samples of a case are all the same at temperature 0"),
        (("--suite", file, "--model", "nowhere"), 3, None),
        (("--suite", file, "--adapter", "nowhere"), 3, None),
        (("--batch", "0"), 2, None),
        (("nothing",), 2, "Error: No such command 'nothing'."),
    ):
        done = evaluate(*args)
        assert (args, done.code) == (args, code), done.stderr
        assert message is None or done.stderr.splitlines()[0] == message
        assert code == 0 or done.stdout == ""


def test_ctrl_c_keeps_what_is_done(tmp_path: Path) -> None:
    write_suite(tmp_path / "s.toml")

    async def interrupt(text: str) -> None:
        if text == "two":
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()

    args = ("--suite", tmp_path / "s.toml", "--max-tokens", "20")
    stopped = evaluate(*args, engine=EchoEngine(on=interrupt))
    assert stopped.code == 130
    assert stopped.stderr.splitlines()[-2:] == [
        "Error: interrupted after 1 of 3 cases, which are kept in e0001",
        f"Try: punie eval run --suite {tmp_path / 's.toml'} --max-tokens 20",
    ]
    engine = EchoEngine()
    done = evaluate(*args, engine=engine)
    assert (done.code, engine.asked, results.load("e0001").passed) == (0, ["two", "three"], 3)
    assert done.stderr.splitlines()[0].partition(":")[0] == "e0001 goes on"


def test_the_suites_of_the_settings_are_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_suite(tmp_path / "mine.toml")
    monkeypatch.setenv("PUNIE_SUITES", str(tmp_path / "mine.toml"))
    assert evaluate().code == 0
    assert results.resolve("last").suites == ("mine",)
