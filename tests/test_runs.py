"""Runs on a tiny model: what `punie runs` reads of them, a training apart from the terminal, the page of a run."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import psutil
import pytest

from punie_cli.errors import InterruptedByUser, MissingError, PunieError
from punie_cli.models.building import write_json
from punie_cli.paths import data_dir
from punie_cli.training import plots, process, run, runs
from punie_cli.training.reports import Step
from tests.command_line import punie
from tests.tiny import make_tiny_model
from tests.training import write_rows

SETS = (
    "train.batch=4", "train.steps=9", "train.checkpoint_every=3", "train.validation_rows=3", "train.probe_rows=0",
    "lora.layers=1", "lora.rank=4", "optimizer.warmup=1", "optimizer.learning_rate=1e-2",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a finished run, one that was stopped after step 4, and one that failed."""
    home = tmp_path_factory.mktemp("runs")
    write_rows(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PUNIE_HOME", str(home))
        make_tiny_model(home / "data" / "models" / "tiny", dtype="float32")
        run.train(phase=23, model="tiny", sets=SETS)

        def stop(event: Any) -> None:
            if isinstance(event, Step) and event.step == 4:
                signal.raise_signal(signal.SIGTERM)

        with pytest.raises(InterruptedByUser):
            run.train(phase=23, model="tiny", sets=(*SETS, "lora.rank=2"), report=stop)
        with pytest.raises(PunieError, match="not finite"):
            run.train(phase=23, model="tiny", sets=(*SETS, "optimizer.learning_rate=1e30", "train.steps=30"))
    return home


@pytest.fixture
def home(trained: Path, punie_home: Path) -> Path:
    """A copy of it for one test."""
    shutil.copytree(trained, punie_home)
    return punie_home


def folder(name: str = "23-001") -> Path:
    return data_dir() / "runs" / name


def plain(text: str) -> str:
    """Without what depends on the machine."""
    text = re.sub(r"\t\d+ s\t", "\tAGE\t", text)
    return re.sub(r"\t[\d.]+ MB", "\tSIZE", re.sub(r"\t\d+\tAGE", "\tRATE\tAGE", text))


# The list, and the state


def test_the_list(home: Path) -> None:
    ran = punie("runs")
    losses = {name: f"{runs.read(folder(name)).loss:.4f}" for name in ("23-001", "23-002")}
    failed = runs.read(folder("23-003"))
    assert (ran.code, ran.stderr) == (0, "")
    assert plain(ran.stdout).splitlines()[1:] == [
        f"23-002\t23\tstopped\t4/9\t{losses['23-002']}\t\tRATE\tAGE\tSIZE",
        f"23-001\t23\tfinished\t9/9\t{losses['23-001']}\t\tRATE\tAGE\tSIZE",
    ]
    assert plain(ran.stdout).startswith(f"23-003\t23\tfailed\t{failed.step}/30\t")
    listed = json.loads(punie("runs", "list", "--json").stdout)
    assert [(each["name"], each["state"], each["step"]) for each in listed][1:] == [
        ("23-002", "stopped", 4),
        ("23-001", "finished", 9),
    ]
    assert listed[2]["size"] == sum(path.stat().st_size for path in folder().rglob("*") if path.is_file())


def test_no_runs() -> None:
    ran = punie("runs", "list")
    assert (ran.code, ran.stdout, ran.stderr) == (0, "", "no runs yet; `punie train --phase 23` makes one\n")


def test_a_run_that_failed_says_why(home: Path) -> None:
    found = runs.read(folder("23-003"))
    assert found.reason == "the loss was not finite in 3 steps in a row, up to step " + found.reason.split()[-1]  # ty: ignore
    assert found.hint == "--set optimizer.learning_rate=… with a lower one"
    assert all(value == value for _, value in found.curves.train)


def test_what_is_left_of_a_training(home: Path) -> None:
    for name in ("23-001", "23-002", "23-003"):
        assert not (folder(name) / "process.json").exists()
        assert (folder(name) / "report.html").is_file()


def test_a_run_is_running_while_its_process_lives(home: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        began = psutil.Process(other.pid).create_time()
        write_json(folder("23-002") / "process.json", {"pid": other.pid, "started": began})
        assert runs.state_of(folder("23-002")) == "running"
        # A process that came later under the same number.
        write_json(folder("23-002") / "process.json", {"pid": other.pid, "started": began - 60})
        assert runs.state_of(folder("23-002")) == "stopped"
        write_json(folder("23-002") / "process.json", {"pid": other.pid, "started": began})
        other.kill()
        # It is a zombie as long as nobody waits for it.
        while psutil.Process(other.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        assert runs.state_of(folder("23-002")) == "stopped"
    finally:
        other.kill()
        other.communicate()
    (folder("23-002") / "process.json").write_text("{torn")
    assert runs.state_of(folder("23-002")) == "stopped"


@pytest.mark.parametrize("command", ["show", "attach", "stop", "compare"])
@pytest.mark.parametrize("name", ["24", "23-004", "../23-001", "x"])
def test_no_such_run(home: Path, command: str, name: str) -> None:
    ran = punie("runs", command, name)
    assert (ran.code, ran.stdout, ran.stderr) == (3, "", f"Error: no run '{name}'\nTry: punie runs list\n")


def test_a_phase_means_its_last_run(home: Path) -> None:
    assert runs.find("23") == folder("23-003")
    shutil.copytree(folder(), folder("23-1000"))
    assert runs.find("23") == folder("23-1000")


# One run


def test_show(home: Path) -> None:
    ran = punie("runs", "show", "23-001")
    found = runs.read(folder())
    lines = dict(line.split("  ", 1) for line in ran.stdout.splitlines() if re.match(r"\w.*?  ", line))
    shown = {name: value.strip() for name, value in lines.items()}
    assert ran.code == 0
    assert shown["state"] == "finished, step 9 of 9"
    assert shown["validation loss"] == f"{found.loss:.4f} at step {found.best_step}, {found.first_loss:.4f} at first"
    assert shown["adapter"] == found.adapter
    assert shown["data hash"] == found.config["data_hash"][:12]
    assert shown["lora.rank"] == "4"
    assert plots.terminal_plot(found.curves, 80).splitlines() == ran.stdout.splitlines()[-16:]


def test_show_for_programs(home: Path) -> None:
    shown = json.loads(punie("runs", "show", "23-002", "--json").stdout)
    assert shown["config"] == json.loads((folder("23-002") / "run.json").read_text())
    assert [step for step, _ in shown["curves"]["train"]] == [1, 2, 3, 4]
    told = [line["step"] for line in runs.records(folder("23-002")) if line["type"] == "validated"]
    assert [step for step, _ in shown["curves"]["valid"]] == told
    assert (shown["state"], shown["best_step"], shown["adapter"], shown["stages"]) == ("stopped", 3, None, {})


def test_stages_of_a_pipeline_are_shown(home: Path) -> None:
    stage = {"stage": "fuse", "seconds": 3.4, "skipped": False, "output": "/m", "figures": {"kl": 0.00012, "size": 5}}
    write_json(folder() / "pipeline.json", {"stages": [stage], "share": 0.5, "n": 12, "passed": False})
    shown = punie("runs", "show", "23-001").stdout
    assert re.search(r"^stage fuse +3 s: kl 0.00012, size 5\ngate +50% of 12, not passed$", shown, re.MULTILINE)
    assert "<h2>Stage fuse</h2>" in plots.page(runs.read(folder())).replace("\n", "")


def test_compare(home: Path) -> None:
    ran = punie("runs", "compare", "23-001", "23-002")
    one, two = runs.read(folder()), runs.read(folder("23-002"))
    lines = ran.stdout.splitlines()
    assert lines[:4] == [
        "lora.rank\t4\t2",
        "state\tfinished\tstopped",
        "steps\t9/9\t4/9",
        f"validation loss\t{plots.figures(one)['validation loss']}\t{plots.figures(two)['validation loss']}",
    ]
    (found,) = json.loads(punie("runs", "compare", "23-001", "23-002", "--json").stdout)
    assert found["differs"] == [{"key": "lora.rank", "values": [4, 2]}]
    assert [each["name"] for each in found["runs"]] == ["23-001", "23-002"]


# What can be deleted


def test_prune(home: Path) -> None:
    best = runs.read(folder()).best_step
    kept = [path.name for path in (folder() / "checkpoints").iterdir()]
    stopped = sorted(path.name for path in (folder("23-002") / "checkpoints").iterdir())
    assert len(kept) > 1 and stopped
    for options in ([], ["--json"]):
        ran = punie("runs", "prune", *options)
        assert ran.code == (0 if options else 5)
        assert len(list((folder() / "checkpoints").iterdir())) == len(kept)
    ran = punie("runs", "prune", "--yes")
    assert ran.code == 0
    assert plain(ran.stdout).splitlines()[0] == "23-001\tSIZE\t1 checkpoint\tfinished: all but the best"
    assert [path.name for path in (folder() / "checkpoints").iterdir()] == [f"{best:06d}"]
    assert sorted(path.name for path in (folder("23-002") / "checkpoints").iterdir()) == stopped
    assert list((folder("23-003") / "checkpoints").glob("*")) == []
    again = punie("runs", "prune")
    assert (again.code, again.stdout, again.stderr) == (0, "", "nothing to delete\n")
    run.train(phase=23, resume=False, model="tiny", sets=(*SETS, "train.steps=1"))


# Apart from the terminal


def test_detach_attach_stop_resume(home: Path) -> None:
    options = [option for setting in SETS for option in ("--set", setting)]
    ran = punie("train", "--phase", "23", "--model", "tiny", *options, "--set", "train.steps=100000", "--detach")
    place = folder("23-004")
    try:
        log = place / "train.log"
        assert (ran.code, ran.stdout) == (0, f"23-004: punie runs attach 23-004; it writes to {log}\n")
        trainer = process.trainer(place)
        assert trainer is not None and os.getsid(trainer.pid) == trainer.pid
        busy = punie("train", "--phase", "23", "--resume")
        assert (busy.code, busy.stderr.splitlines()[0]) == (75, "Error: 23-004 is being trained by another process")
        seen = []
        for record in runs.follow(place):
            seen.append(record)
            if record["type"] == "validated":
                break
        assert [record["type"] for record in seen[:2]] == ["plan", "preflight"]
        assert runs.read(place).state == "running"
        stopped = punie("runs", "stop", "23")
    finally:
        if process.trainer(place):
            process.stop(place)
    found = runs.read(place)
    assert (stopped.code, stopped.stdout) == (0, f"23-004: stopped after step {found.step} of 100000\n")
    assert punie("runs", "stop", "23").stderr == "Error: 23-004 is not running\nTry: punie runs list\n"
    assert "memory SAFE" in log.read_text()
    assert [path.name for path in data_dir().glob("runs/*.log")] == []
    attached = punie("runs", "attach", "23")
    assert (attached.code, attached.stdout, attached.stderr.splitlines()[-2:]) == (
        130,
        "",
        [
            f"Error: 23-004 was stopped after step {found.step} of 100000",
            "Try: punie train --phase 23 --resume",
        ],
    )
    lines = [json.loads(line) for line in punie("runs", "attach", "23", "--json").stdout.splitlines()]
    # The failure of the command itself is the last line.
    assert lines[:-1] == list(runs.records(place)) and lines[-1]["exit"] == 130
    again = punie("train", "--phase", "23", "--resume", "--detach", "--json")
    try:
        told = json.loads(again.stdout)
        assert (told["run"], told["log"]) == ("23-004", str(place / "train-2.log"))
    finally:
        process.stop(place)
    assert runs.read(place).step >= found.step


def test_a_detached_training_that_is_refused(home: Path) -> None:
    ran = punie("train", "--phase", "23", "--model", "nothing", "--detach")
    assert (ran.code, ran.stdout) == (3, "")
    assert ran.stderr.splitlines()[-2:] == [
        "Error: no model 'nothing'; in the store: tiny",
        "Try: punie models list",
    ]
    assert sorted(path.name for path in folder().parent.iterdir()) == ["23-001", "23-002", "23-003"]


def test_attach_to_a_run_that_has_ended(home: Path) -> None:
    done = punie("runs", "attach", "23-001")
    found = runs.read(folder())
    assert done.code == 0
    assert done.stdout.startswith(f"{found.adapter}: step {found.best_step}, validation loss {found.loss:.4f}, ")
    failed = punie("runs", "attach", "23-003")
    assert failed.code == 1
    assert failed.stderr.splitlines()[-2:] == [f"Error: 23-003 failed: {found_reason()}", f"Try: {found_hint()}"]


def found_reason() -> str | None:
    return runs.read(folder("23-003")).reason


def found_hint() -> str | None:
    return runs.read(folder("23-003")).hint


def test_following_a_run_that_goes_on_from_a_checkpoint(home: Path) -> None:
    """Its metrics are cut back and written anew; what was told is not told again, torn lines are not told at all."""
    place = folder("23-002")
    metrics = place / "metrics.jsonl"
    lines = metrics.read_text().splitlines(keepends=True)
    steps = [line for line in lines if '"type": "step"' in line]
    metrics.write_text("".join(steps[:4]) + steps[0][:9])
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        record = {"pid": other.pid, "started": psutil.Process(other.pid).create_time()}
        write_json(place / "process.json", record)
        followed = runs.follow(place)
        assert [next(followed)["step"] for _ in range(4)] == [1, 2, 3, 4]
        part = metrics.with_suffix(".part")
        five = json.dumps(json.loads(steps[3]) | {"step": 5})
        part.write_text("".join(steps[:3]) + steps[3] + f"{five}\n")
        part.replace(metrics)
        assert next(followed)["step"] == 5
        (place / "process.json").unlink()
        assert list(followed) == []
    finally:
        other.communicate()


# The page


class Page(HTMLParser):
    """Counts elements, and keeps the attributes that could load something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.loads += [name for name, _ in attrs if name in ("src", "href", "srcset", "data", "action")]


def test_the_page_of_a_run(home: Path, tmp_path: Path) -> None:
    ran = punie("runs", "show", "23-001", "--html", str(tmp_path / "page.html"))
    text = (tmp_path / "page.html").read_text()
    assert (ran.code, ran.stdout) == (0, f"{tmp_path / 'page.html'}\n")
    assert text == (folder() / "report.html").read_text()
    page = Page(text)
    assert (page.counts["svg"], page.counts["polyline"], page.counts["circle"]) == (
        2,
        3,
        len(runs.read(folder()).curves.valid),
    )
    assert page.loads == [] and re.findall(r"url\(|@import|https?:", text) == []
    assert "prefers-color-scheme: dark" in text
    bad = punie("runs", "show", "23-001", "--html", str(tmp_path / "nowhere" / "page.html"))
    assert bad.code == 2


def test_what_a_page_says_is_escaped(home: Path) -> None:
    found = runs.read(folder())
    page = plots.page(replace(found, reason="<script>x</script>"))
    assert "script" not in Page(page).counts


def test_a_run_without_a_step_has_a_page(home: Path) -> None:
    found = replace(runs.read(folder()), curves=runs.Curves(), loss=None, first_loss=None, train_loss=None, step=0)
    assert Page(plots.page(found)).counts.get("svg") is None
    assert plots.terminal_plot(found.curves, 80) == ""


def test_a_missing_run_file() -> None:
    folder().mkdir(parents=True)
    with pytest.raises(MissingError):
        runs.read(folder())
