"""`punie data merge`, `split`, `stats` and `show`: nothing lost, sides without leaks, output whole or not at all."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.agent.messages import answer, output, program, user
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.errors import PunieError, UsageError
from punie_cli.models.load import load_tokenizer
from punie_cli.rows.check import Looked, look
from punie_cli.rows.files import keep_apart, side_of, writing
from punie_cli.rows.formats import FORMS, read_entries
from punie_cli.rows.row import Row, dump_rows
from punie_cli.rows.sides import parse_percent, split_file, wanted_sizes
from punie_cli.rows.stats import Tokens, measure
from tests.command_line import CharTokenizer, punie
from tests.tiny import make_tiny_model


def direct(question: str, **fields: Any) -> Row:
    messages = (user(question), answer("Yes."))
    made: dict[str, Any] = {"source": "direct", "intent": "i", "project": "", "messages": messages}
    return Row(**made | fields)


CHECK = Row(
    source="check",
    intent="count",
    project="shop",
    messages=(
        user("how many errors are in cart.py"),
        program('result = typecheck("cart.py")\nprint(result.error_count)'),
        output("", "FileNotFoundError: no file or folder 'cart.py'; did you mean 'shop/cart.py'?"),
        program('result = typecheck("shop/cart.py")\nprint(result.error_count)'),
        output("2\n"),
        answer("There are 2."),
    ),
    tail="Be brief.",
    family="count/a",
)


def write(path: Path, *rows: Row) -> Path:
    path.write_text(dump_rows(rows), encoding="utf-8")
    return path


def test_the_first_row_with_a_question_stays(tmp_path: Path) -> None:
    a = write(tmp_path / "a.jsonl", direct("One?"), direct("two"), direct("one"))
    b = write(tmp_path / "b.jsonl", direct("Two.", intent="other"), direct("three"))
    with b.open("a") as file:
        file.write('{"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "four"}]}\n')
    out = tmp_path / "new" / "out.jsonl"
    ran = punie("data", "merge", str(a), str(b), "-o", str(out))
    assert (ran.code, ran.stdout) == (0, "")
    assert ran.stderr.splitlines() == [
        f"{a}: 3 rows read, 1 dropped (question came before)",
        f"{b}: 3 rows read, 1 dropped (question came before)",
        f"  dropped {a}:3: one",
        f"  dropped {b}:1: two",
        "1 system messages left out",
        f"{out}: 4 rows",
    ]
    assert [(e.row.questions, e.row.intent) for e in read_entries(out)] == [
        (["one"], "i"), (["two"], "i"), (["three"], "i"), (["four"], ""),
    ]  # fmt: skip
    piped = punie("data", "merge", str(a), str(b), "-o", "-")
    assert piped.stdout == out.read_text()


def test_one_input_is_a_conversion(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", CHECK, direct("is it so?"))
    for form in ("messages", "tools"):
        there, back = tmp_path / f"{form}.jsonl", tmp_path / "back.jsonl"
        assert punie("data", "merge", str(rows), "--format", form, "-o", str(there)).code == 0
        assert punie("data", "merge", str(there), "-o", str(back)).code == 0
        assert back.read_bytes() == rows.read_bytes()
    ran = punie("data", "merge", str(rows), "--format", "completion", "-o", f"{tmp_path}/c.jsonl")
    assert ran.stderr.splitlines()[-1] == f"{tmp_path}/c.jsonl: 2 rows in 4 lines"


def test_a_merge_that_fails_leaves_everything_as_it_was(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", direct("one"))
    before = rows.read_text()
    (tmp_path / "link.jsonl").symlink_to(rows)
    ran = punie("data", "merge", str(rows), "-o", f"{tmp_path}/link.jsonl")
    assert (ran.code, rows.read_text()) == (2, before)
    assert ran.stderr == (f"Error: {tmp_path}/link.jsonl is read: it cannot be written as well\nTry: -o another file\n")
    broken, out = tmp_path / "broken.jsonl", tmp_path / "out.jsonl"
    broken.write_text(before + "{\n")
    out.write_text("old")
    ran = punie("data", "merge", str(broken), "-o", str(out))
    assert (ran.code, out.read_text()) == (2, "old")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.jsonl", "link.jsonl", "out.jsonl", "rows.jsonl"]
    with pytest.raises(UsageError):
        keep_apart([rows], [tmp_path])


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with pytest.raises(PunieError) as caught, writing(tmp_path / "out.jsonl") as file:
        file.write("x")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.message == f"the disk is full: {tmp_path}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "rows, percent, sizes",
    [
        (757, (80, 10, 10), (605, 75, 77)),
        (9, (80, 10, 10), (7, 0, 2)),
        (10, (90, 10, 0), (9, 1, 0)),
        (7, (100, 0, 0), (7, 0, 0)),
    ],
)
def test_sizes(rows: int, percent: tuple[int, int, int], sizes: tuple[int, int, int]) -> None:
    assert wanted_sizes(rows, percent) == sizes


@pytest.mark.parametrize("text", ["80,10", "80,10,20", "a,b,c", "110,-5,-5", "80.0,10,10", ""])
def test_percents_are_100_in_sum(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_percent(text)
    assert caught.value.message == f"{text!r} is not three whole numbers that are 100 in sum"


FAMILIES = st.sampled_from(["", "", "a", "b", "c", "a+d", "e", "f+g"])


@given(st.lists(st.tuples(FAMILIES, st.integers(0, 30)), min_size=1, max_size=80))
def test_a_split_has_no_leak_and_loses_nothing(tmp_path_factory: pytest.TempPathFactory, made: Any) -> None:
    folder = tmp_path_factory.mktemp("split")
    rows = [direct(f"q {question}", family=family) for family, question in made]
    done = split_file(write(folder / "rows.jsonl", *rows), (60, 20, 20), folder / "sides")
    files = [folder / "sides" / f"{side}.jsonl" for side in ("train", "valid", "test")]
    parts = [path.read_text().splitlines() for path in files]
    assert sorted(line for part in parts for line in part) == sorted(dump_rows(rows).splitlines())
    assert list(done.sides.values()) == [len(part) for part in parts]
    assert [f for f in look(files, None, Looked()) if f.kind == "leak"] == []
    again = split_file(write(folder / "turned.jsonl", *reversed(rows)), (60, 20, 20), folder / "again")
    assert again.sides == done.sides
    for path in files:
        turned = (folder / "again" / path.name).read_text().splitlines()
        assert sorted(turned) == sorted(path.read_text().splitlines())


def test_sizes_are_exact_where_some_rows_stand_alone(tmp_path: Path) -> None:
    families = [direct(f"q {f} {i}", family=f"f{f}") for f in range(40) for i in range(6 + f % 13)]
    alone = [direct(f"alone {i}") for i in range(757 - len(families))]
    rows = write(tmp_path / "rows.jsonl", *families, *alone)
    ran = punie("data", "split", str(rows))
    assert (ran.code, ran.stdout) == (0, f"{tmp_path}/rows: 605 train, 75 valid, 77 test; {40 + len(alone)} families\n")
    large = write(tmp_path / "large.jsonl", *(direct(f"q {i}", family=f"f{i % 2}") for i in range(20)))
    ran = punie("data", "split", str(large), "--percent", "90,10,0", "--out", f"{tmp_path}/out")
    assert ran.stdout.splitlines() == [
        "train has 20 rows, 18 were wanted: families stay whole",
        "valid has 0 rows, 2 were wanted: families stay whole",
        f"{tmp_path}/out: 20 train, 0 valid; 2 families",
    ]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["train.jsonl", "valid.jsonl"]


def test_sides_by_name() -> None:
    names = ("train.jsonl", "a/validation.jsonl", "dev.jsonl", "test.jsonl", "rows.jsonl")
    assert [side_of(name) for name in names] == ["train", "valid", "valid", "test", ""]


def test_stats_in_a_pipe_and_as_json(tmp_path: Path) -> None:
    fixed = (
        user("fix a.py"),
        program('write_file("a.py", "x = 1")\nprint(typecheck("a.py"))'),
        output("no type errors"),
    )
    rows = write(
        tmp_path / "train.jsonl",
        CHECK,
        direct("one", family="x/a"),
        direct("two"),
        Row(source="fix", intent="fix", project="", messages=(*fixed, answer("Done."), user("sure?"), answer("Yes."))),
    )
    ran = punie("data", "stats", str(rows), "--no-tokens")
    assert [line.split("\t") for line in ran.stdout.splitlines()] == [
        ["rows", "4"],
        ["form punie", "4"],
        ["side train", "4"],
        ["category direct", "2", "50.0%"],
        ["category check", "1", "25.0%"],
        ["category fix", "1", "25.0%"],
        ["intents", "3"],
        ["families", "2", "2 rows have none"],
        ["direct answers", "2", "50.0% (not 30% to 35%)"],
        ["read a result's field", "1", "25.0% (at least 25%)"],
        ["output and answer", "2", "50.0% (at least 25%)"],
        ["failures", "1", "25.0% (at least 5%)"],
        ["write, then check", "1", "25.0% (at least 10%)"],
        ["two programs or more", "1", "25.0%"],
        ["rows that call typecheck", "2", "50.0%"],
        ["rows that call write_file", "1", "25.0%"],
        ["rows with a tail", "1", "25.0%"],
        ["rows with several questions", "1", "25.0%"],
    ]
    record = json.loads(punie("data", "stats", str(rows), "--no-tokens", "--json").stdout)
    assert record["shares"] == {
        "direct": 0.5, "fields": 0.25, "answered": 0.5, "failures": 0.25, "fixes": 0.25, "steps": 0.25,
    }  # fmt: skip
    assert (record["builtins"], record["tokens"]) == ({"typecheck": 2, "write_file": 1}, None)


def test_tokens_by_a_renderer(tmp_path: Path) -> None:
    renderer = Renderer(PromptCore.build(Registry(), "tags"), CharTokenizer())
    path = write(
        tmp_path / "rows.jsonl", direct("one"), direct("four"), Row(source="", intent="", project="", messages=())
    )
    stats = measure(read_entries(path), renderer)
    assert stats.tokens is not None and stats.unrendered == 1
    lengths = [len(renderer.row(direct(q).messages)[0]) for q in ("one", "four")]
    trained = 2 * len("Yes.<|im_end|>")
    core = len(renderer.core_tokens)
    total = sum(lengths) - 2 * core
    assert stats.tokens.record() == {
        "p50": lengths[0], "p90": lengths[1], "p99": lengths[1], "max": lengths[1], "core": core, "total": total,
        "trained": trained, "trained_share": round(trained / total, 4),
    }  # fmt: skip


@given(st.lists(st.integers(1, 50), min_size=1), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_percentiles_are_of_the_nearest_rank(lengths: list[int], share: float) -> None:
    tokens = Tokens(0)
    tokens.lengths.update(lengths)
    at = tokens.percentile(share)
    assert sum(n <= at for n in lengths) >= share * len(lengths)
    assert sum(n < at for n in lengths) < share * len(lengths)


def test_show_marks_what_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_tiny_model(tmp_path / "model")
    monkeypatch.setenv("PUNIE_MODEL", str(model))
    path = write(tmp_path / "rows.jsonl", direct("one"), CHECK)
    renderer = Renderer(PromptCore.build(Registry(), "tags"), load_tokenizer(model))
    segments = renderer.segments(CHECK.messages, tail=CHECK.tail, reply_next=False)[:-1]
    ran = punie("data", "show", str(path), "--row", "2", "--mask")
    assert ran.stdout == "".join(f"⟦{s.text}⟧" if s.trained else s.text for s in segments) + "\n"
    assert ran.stdout.endswith("<|im_start|>assistant\n⟦There are 2.<|im_end|>⟧\n")
    tokens, mask = renderer.row(CHECK.messages, tail=CHECK.tail)
    assert ran.stderr == (
        f"{path}:2: {len(tokens)} tokens, {len(renderer.core_tokens)} of them the core; {sum(mask)} trained\n"
    )
    colored = ("--color", "always", "data", "show", str(path), "--mask")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[1;32mYes.<|im_end|>\x1b[0m" in punie(*colored).stdout
    monkeypatch.setenv("TERM", "dumb")
    assert punie(*colored).stdout.endswith("<|im_start|>assistant\n⟦Yes.<|im_end|>⟧\n")
    form = punie("data", "show", str(path), "--format", "completion")
    assert form.stdout == '{"prompt": "one", "completion": "Yes."}\n'
    ran = punie("data", "show", str(path), "--row", "3")
    assert (ran.code, ran.stderr) == (2, "Error: there is no row 3; there are 2\nTry: --row N\n")


def test_the_commands_of_the_docs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PUNIE_MODEL", str(make_tiny_model(tmp_path / "model")))
    write(Path("a.jsonl"), CHECK, direct("one"))
    write(Path("b.jsonl"), direct("One"), direct("two"))
    page = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
    lines = [line.partition("#")[0].split() for line in page.splitlines() if line.startswith("    punie data ")]
    # Those of a phase need its model and its rows.
    ran = [(words[2], punie(*words[1:]).code) for words in lines if "--phase" not in words]
    assert ran == [("merge", 0), ("split", 0)]
    assert [e.row.questions for e in read_entries(Path("rows.jsonl"))] == [CHECK.questions, ["one"], ["two"]]


def test_the_docs_name_every_kind_and_form() -> None:
    page = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
    kinds = (
        "format field order length mask duplicate leak suite policy output preamble markup placeholder secret home-path"
    )
    for word in (*kinds.split(), *FORMS):
        assert f"`{word}`" in page, word
