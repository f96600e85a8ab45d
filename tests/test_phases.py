"""Phases on the command line: listed, shown, compared, the user's own before the shipped ones; pipelines through it."""

import datetime
import json
import re
from pathlib import Path

import pytest

from punie_cli.docs import phases_page
from punie_cli.errors import UsageError
from punie_cli.paths import data_dir, shipped
from punie_cli.training.notify import notify
from punie_cli.training.phase import known_phases, load_phase, phase_path
from punie_cli.training.results import Result, append, own_results_file, read_results
from tests.command_line import Ran, punie
from tests.tiny import make_tiny_model

OWN = """
number = {number}
title = "{title}"
base = "{base}"
[rows]
seed = 7
[rows.groups]
direct = 10
{rest}
"""


def write(number: int, title: str = "mine", base: str = "nowhere", rest: str = "") -> Path:
    path = data_dir() / "phases" / f"{number}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(OWN.format(number=number, title=title, base=base, rest=rest))
    return path


def test_own_phases_come_first() -> None:
    shipped = phase_path(23)
    assert shipped.parent.name == "phases"
    own = write(23)
    write(90)
    assert (phase_path(23), load_phase(23).title, known_phases()[-1]) == (own, "mine", 90)


def test_the_number_of_a_file_is_that_of_its_name() -> None:
    path = write(91)
    path.write_text(path.read_text().replace("91", "92"))
    with pytest.raises(UsageError) as caught:
        load_phase(91)
    assert caught.value.message == f"{path}: its number is 92, by its name it is 91"


@pytest.mark.parametrize(
    "rest, message",
    [
        ("[quantize]\nbits = 5", "[quantize] needs [fuse]: what is quantized is the fused model"),
        ("[fuse]\nmod = 'base'", "unknown key 'fuse.mod'; did you mean 'mode'?"),
        ("[fuse]\n[quantize]\nbits = 7", "quantize.bits: Input should be 2, 3, 4, 5, 6 or 8"),
        ("[eval]\ngate = 1.5", "eval.gate: Input should be less than or equal to 1"),
        ("[eval]\nsuite = 3", "eval.suite: Input should be a valid string"),
    ],
)
def test_sections_that_do_not_fit(rest: str, message: str) -> None:
    path = write(90, rest=rest)
    ran = punie("phases", "show", "90")
    assert (ran.code, ran.stdout) == (2, "")
    assert ran.stderr.splitlines()[0] == f"Error: {path}: {message}"


def test_the_list_has_what_is_there() -> None:
    write(23, base="tiny")
    write(90)
    lines = punie("phases").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == [str(number) for number in known_phases()]
    assert lines[-1] == "90\tmine\tnot built\tnowhere"
    item = json.loads(punie("phases", "list", "--json").stdout)[-1]
    assert item == {
        "number": 90, "title": "mine", "base": "nowhere", "rows": None, "own": True, "in_use": False, "run": None,
        "finished": False, "loss": None, "share": None, "passed": None,
    }  # fmt: skip


def test_show_names_the_source_of_each_value() -> None:
    write(90, rest="[lora]\nrank = 4\n[eval]\ngate = 0.5")
    values = {item["key"]: (item["value"], item["source"]) for item in _json("show", "90")}
    assert values["lora.rank"] == (4, "90.toml")
    assert values["lora.dropout"] == (0.0, "default")
    assert values["eval.gate"] == (0.5, "90.toml")
    assert values["fuse"] == (None, "default")
    assert "lora.rank\t4\t90.toml\n" in punie("phases", "show", "90").stdout


def test_diff_has_the_keys_that_differ() -> None:
    write(90, rest="[fuse]")
    write(91, title="other", rest="[fuse]\nmode = 'base'\n[lora]\nrank = 16")
    assert punie("phases", "diff", "90", "91") == Ran(
        0, "number\t90\t91\ntitle\tmine\tother\nlora.rank\t8\t16\nfuse.mode\ttouched\tbase\n", ""
    )
    assert _json("diff", "90", "91")[1] == {"key": "title", "one": "mine", "other": "other"}
    assert punie("phases", "diff", "90", "90") == Ran(0, "", "they do not differ\n")


def test_a_pipeline_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = make_tiny_model(tmp_path / "tiny")
    train = "[train]\nsteps = 2\nbatch = 2\nvalidation_rows = 1"
    rest = f"{train}\n[fuse]\nmode = 'float16'\n[eval]\nrows = 1\nsuite = 'nowhere'"
    write(90, base=str(base), rest=rest)
    told = tmp_path / "told"
    monkeypatch.setenv("PUNIE_NOTIFY", f"sh -c 'echo \"$0\" >> {told}'")
    ran = punie("train", "--phase", "90", "--through", "fuse")
    assert ran.code == 0
    rows, train, fuse = (line.split("\t") for line in ran.stdout.splitlines())
    assert (rows[0], rows[2], rows[3]) == ("rows", "8 train, 1 valid, 1 test", str(data_dir() / "rows" / "90"))
    assert re.fullmatch(r"validation loss \d\.\d{4} at first, \d\.\d{4} at step 2, \d\.\d\d GB at most", train[2])
    assert re.fullmatch(
        r"\d\.\d MB, 16\.\d\d bits a weight; KL \d\.\de-\d\d, \d+\.\d% of tokens alike(, 0 of 0 programs the same)?",
        fuse[2],
    )
    assert ran.stderr.splitlines()[:2] == [
        f"phase 90 on {base}: rows, train, fuse",
        "[rows] begins (not done yet)",
    ]
    assert told.read_text() == "punie: phase 90 is through fuse\n"

    again = punie("train", "--phase", "90", "--through", "fuse", "--json")
    lines = [json.loads(line) for line in again.stdout.splitlines()]
    assert [(line["type"], line.get("stage"), line.get("reason")) for line in lines] == [
        ("stageplan", None, None),
        ("stageskipped", "rows", "unchanged"),
        ("stageskipped", "train", "unchanged"),
        ("stageskipped", "fuse", "unchanged"),
        ("summary", None, None),
    ]
    listed = json.loads(punie("phases", "list", "--json").stdout)[-1]
    assert (listed["run"], listed["finished"], listed["rows"]) == ("90-001", True, 10)
    failed = punie("train", "--phase", "90", "--through", "eval")
    assert (failed.code, failed.stdout) == (3, "")
    assert failed.stderr.splitlines()[-1].startswith("Error: no suite 'nowhere'; there are: ")
    assert told.read_text().splitlines()[-1].startswith("punie: phase 90: no suite 'nowhere'")


def test_out_has_no_place_in_a_pipeline() -> None:
    ran = punie("train", "--phase", "23", "--through", "fuse", "--out", "x")
    message = "Error: --out has no place in a pipeline: later stages look for the adapter of the phase\n"
    assert ran == Ran(2, "", message)


@pytest.mark.parametrize(
    "command, problem",
    [
        ("true", None),
        ("false", "notify ended with exit code 1"),
        ("no-such-command", "notify cannot be run: [Errno 2] No such file or directory: 'no-such-command'"),
        ("'", "notify cannot be run: No closing quotation"),
    ],
)  # fmt: skip
def test_notify_says_what_went_wrong(command: str, problem: str | None) -> None:
    assert notify(command, "done") == problem


def test_page_is_current() -> None:
    # A phase of the user's own is not in it.
    write(90)
    page = shipped().parent / "docs" / "phases.md"
    assert page.read_text(encoding="utf-8") == phases_page(), "run: python -m punie_cli.docs"


def test_results_are_kept_as_they_ship() -> None:
    first = Result(phase=90, date=datetime.date(2026, 1, 2), base="b", made="adapter", rows=3, loss=0.5, note='a "b"')
    second = first.model_copy(
        update={"made": "5.51 bits", "bits": 5.51, "suite": "foundation", "passed": 3, "cases": 14}
    )
    append(first)
    before = own_results_file().read_text()
    append(second)
    assert own_results_file().read_text().startswith(before)
    assert read_results(own_results_file()) == [first, second]
    own_results_file().write_text("[[result]]\nphas = 1\n")
    with pytest.raises(UsageError, match=r"results\.toml: phase: Field required"):
        read_results(own_results_file())


def _json(*args: str) -> list[dict]:
    return json.loads(punie("phases", *args, "--json").stdout)
