"""`punie data check`: each kind of finding with file and line, programs run again, files of any length."""

import asyncio
import json
import os
import threading
import tracemalloc
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.agent.messages import Message, answer, output, program, user
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.models.load import load_tokenizer
from punie_cli.rows.build import held_out
from punie_cli.rows.check import Finding, Limit, Looked, look
from punie_cli.rows.formats import read_entries
from punie_cli.rows.merge import Merged, merged
from punie_cli.rows.near import HeldOut, grams
from punie_cli.rows.rerun import Ran, rerun
from punie_cli.rows.row import Row, Setting, dump_rows, normalise
from punie_cli.rows.seen import Seen, fingerprint
from punie_cli.rows.traces import numbered_name, secrets, stands_for_output
from punie_cli.training.phase import load_phase
from tests.command_line import CharTokenizer, punie
from tests.tiny import make_tiny_model

CODE = 'print(read_file("a.txt"))'


def row(*messages: Message, **fields: Any) -> Row:
    made: dict[str, Any] = {"source": "s", "intent": "i", "project": "", "messages": messages}
    return Row(**made | fields)


def direct(question: str, **fields: Any) -> Row:
    return row(user(question), answer("Yes."), **fields)


def write(path: Path, *rows: Row) -> Path:
    path.write_text(dump_rows(rows), encoding="utf-8")
    return path


def found(*paths: Path, limit: Limit | None = None) -> list[tuple[str, int, str, str]]:
    return [(Path(f.file).name, f.line, f.kind, f.text) for f in look(paths, limit, Looked())]


def only(folder: Path, *messages: Message) -> list[tuple[str, str]]:
    return [(kind, text) for _, _, kind, text in found(write(folder / "rows.jsonl", row(*messages)))]


def test_rows_in_order_have_no_findings(tmp_path: Path) -> None:
    turn = (user("what does a.txt say?"), program(CODE), output("hi\n"), answer("It says hi."))
    assert only(tmp_path, *turn, user("is that all?"), answer("Yes.")) == []


@pytest.mark.parametrize(
    "messages, problems",
    [
        ((), ["there are no messages"]),
        ((answer("a"),), ["begins with an answer, not with a question"]),
        ((user("q"), program("x = 1")), ["ends with a program, not with an answer"]),
        ((user("q"), program("x = 1"), answer("a")), ["a program without its output"]),
        ((user("q"), output("1"), answer("a")), ["an output without its program"]),
        ((user("q"), user("r"), answer("a")), ["two questions without an answer between them"]),
        ((user("q"), answer("a"), answer("b")), ["an answer follows an answer"]),
    ],
)
def test_turns_are_in_order(messages: tuple[Message, ...], problems: list[str], tmp_path: Path) -> None:
    assert [text for kind, text in only(tmp_path, *messages) if kind == "order"] == problems


@pytest.mark.parametrize(
    "message, findings",
    [
        (
            program("async def f(): pass"),
            [
                (
                    "policy",
                    "PolicyError: async and await are not available; call the functions directly, they return their "
                    "result (line 1)",
                )
            ],
        ),
        (program("x ="), [("policy", "SyntaxError: invalid syntax (<program>, line 1)")]),
        (
            answer("<code>print(1)</code>"),
            [("markup", "an answer with the tags of a program; tags stand alone on their lines")],
        ),
        (
            program('print(read_file("file1.py"))'),
            [("placeholder", "'file1.py' is a name that stands for a real one")],
        ),
        (output("[output here]\n"), [("placeholder", "'[output here]' stands for a real output")]),
        (answer("It is in /home/anna/work/a.py."), [("home-path", "/home/anna")]),
        (output("AKIAABCDEFGHIJKLMNOP"), [("secret", "an AWS key: 'AKIAAB'…")]),
    ],
)
def test_single_messages(message: Message, findings: list[tuple[str, str]], tmp_path: Path) -> None:
    shown = [(kind, text) for kind, text in only(tmp_path, user("q"), message) if kind != "order"]
    assert [f for f in shown if f[0] != "mask"] == findings


def test_duplicates_and_leaks_are_told_from_each_other(tmp_path: Path) -> None:
    train = write(
        tmp_path / "train.jsonl",
        direct("Typecheck `a.py`", family="check/a"),
        direct("typecheck a.py.", family="check/b"),
        direct("one", family="check/c+read/a"),
    )
    valid = write(
        tmp_path / "valid.jsonl", direct("typecheck a.py", family="check/z"), direct("two", family="read/a+check/y")
    )
    other = write(tmp_path / "more.jsonl", direct("two", family="check/a"))
    assert found(train, valid, other) == [
        ("train.jsonl", 2, "duplicate", f"asks what {train}:1 asks"),
        ("valid.jsonl", 1, "leak", f"asks what {train}:1 asks"),
        ("valid.jsonl", 2, "leak", f"is of the family 'read/a', as is {train}:3"),
        ("more.jsonl", 1, "duplicate", f"asks what {valid}:2 asks"),
    ]


def test_questions_of_suites_are_found(tmp_path: Path) -> None:
    prompt = "how many type errors are in shop/cart.py?"
    assert prompt in held_out()
    rows = write(
        tmp_path / "rows.jsonl",
        direct(prompt.upper()),
        direct("how many type errors are in shop/carts.py"),
        direct("how many errors?"),
    )
    asked = "how many type errors are in shop/cart.py"
    assert found(rows) == [
        ("rows.jsonl", 1, "suite", f"{asked!r} is what a suite asks"),
        ("rows.jsonl", 2, "suite", f"'how many type errors are in shop/carts.py' is near to what a suite asks (0.82): "
         f"{asked!r}"),
    ]  # fmt: skip


@given(st.lists(st.text(alphabet="ab c", max_size=12), max_size=5), st.text(alphabet="ab c", max_size=12))
def test_the_nearest_prompt_is_the_nearest(prompts: list[str], question: str) -> None:
    question = normalise(question)
    index = {p: len(grams(question) & grams(p)) / len(grams(question) | grams(p)) for p in map(normalise, prompts)}
    best = max(index.values(), default=0)
    near = HeldOut(prompts).nearest(question)
    assert (near is None) == (best < 0.5)
    assert near is None or near[1] == best == index[near[0]]


def test_tokens_are_counted_by_the_renderer(tmp_path: Path) -> None:
    renderer = Renderer(PromptCore.build(Registry(), "tags"), CharTokenizer())
    core = len(renderer.core_tokens)
    rows = write(tmp_path / "rows.jsonl", direct("q"), direct("a question that is longer"), row(user("no reply")))
    with rows.open("a") as file:
        file.write('{"text": "all of it"}\n')
    limit = Limit(renderer, len(renderer.row(direct("q").messages)[0]))
    assert found(rows, limit=limit) == [
        ("rows.jsonl", 2, "length", f"{limit.tokens + 24} tokens; {limit.tokens} are allowed"),
        ("rows.jsonl", 3, "order", "ends with a question, not with an answer"),
        ("rows.jsonl", 3, "mask", "nothing in it was written by the model: nothing can be trained"),
        ("rows.jsonl", 4, "mask", "a text says not what the model wrote in it: nothing can be trained"),
    ]
    assert core < limit.tokens


@pytest.mark.parametrize(
    "text, name",
    [
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "a private key: '-----B'…"),
        ("ghp_" + "a1" * 18, "a GitHub token: 'ghp_a1'…"),
        ("hf_" + "Ab" * 17, "a Hugging Face token: 'hf_AbA'…"),
        ("sk-ant-" + "x1" * 12, "an API key: 'sk-ant'…"),
        ("https://anna:hunter2@example.org/x", "a URL with a password: 'https:'…"),
        ("anna@example.org:hunter2secret", "an e-mail address with a password: 'anna@e'…"),
        ('API_KEY = "a8f9e2b1c4d7e6f5"', "a password: 'API_KE'…"),
        ("eyJhbGciOiJIUzI1.eyJzdWIiOiIxMjM0.SflKxwRJSMeKKF2QT4", "a JSON web token: 'eyJhbG'…"),
    ],
)
def test_secrets_are_found_and_not_repeated(text: str, name: str) -> None:
    assert list(secrets(f"x = {text}\n")) == [("secret", name)]


@pytest.mark.parametrize(
    "text",
    [
        "token = next(tokens)", "password = None", "https://example.org:8080/a@b", "mail anna@example.org: hello there",
        "skip-this-long-name-please", "/home/user/x", "secret = 'short'", "def login(password): ...",
    ],
)  # fmt: skip
def test_what_is_no_secret(text: str) -> None:
    assert list(secrets(text)) == []


@pytest.mark.parametrize(
    "text, name", [("def function_2():", "function_2"), ("see foo.py", "foo.py"), ("src/v2", None)]
)
def test_names_that_nobody_would_give(text: str, name: str | None) -> None:
    assert numbered_name(text) == name


@pytest.mark.parametrize("text, stands", [("...\n", True), ("<result>", True), ("sample output", True), ("2\n", False)])
def test_outputs_that_stand_for_one(text: str, stands: bool) -> None:
    assert stands_for_output(text) == stands


def reads(question: str, said: str, code: str = CODE, **setting: Any) -> Row:
    files: dict[str, Any] = {"files": {"a.txt": "hi"}}
    kept = Setting(**files | setting)
    return row(user(question), program(code), output(said), answer("So."), setting=kept)


async def run(path: Path, **options: Any) -> tuple[Ran, list[tuple[int, str]]]:
    findings: list[Finding] = []
    ran = await rerun([path], findings.append, **options)
    return ran, [(f.line, f.text) for f in findings]


async def test_programs_run_again(tmp_path: Path) -> None:
    other = "for n in range(3):\n    print(n)"
    rows = write(
        tmp_path / "rows.jsonl",
        reads("one", "hi\n"),
        reads("two", "ho\n"),
        reads("three", "0\n1\n", other),
        reads("four", "", 'print(1)\nraise ValueError("no")'),
        direct("five"),
        row(user("six"), program(CODE), output("hi\n"), answer("So.")),
        reads("seven", "hi\n", files={"../b.txt": ""}),
        reads("eight", "wrote", 'print(run_command(["touch", "b"]).exit_code)'),
    )
    ran, findings = await run(rows)
    assert findings == [
        (2, "program 1 gives 'hi', recorded is 'ho'"),
        (3, "program 1 gives 1 lines more than recorded"),
        (4, "program 1 gives '1', recorded is '(no output)'"),
        (7, "its setting has a file outside its project: '../b.txt'"),
    ]
    assert (ran.rows, ran.no_setting, ran.commands, ran.findings) == (5, 1, 1, 4)
    ran, findings = await run(rows, allow_commands=True)
    assert (ran.rows, ran.commands, findings[-1]) == (6, 0, (8, "program 1 gives '0', recorded is 'wrote'"))


def test_the_command_says_what_was_checked(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", reads("one", "ho\n"), direct("two"))
    with path.open("a") as file:
        file.write('{"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "two"}]}\n{\n')
    ran = punie("data", "check", str(path), "--no-tokens")
    assert ran.code == 1
    assert ran.stdout.splitlines() == [
        f"{path}:3: order: ends with a question, not with an answer",
        f"{path}:3: mask: nothing in it was written by the model: nothing can be trained",
        f"{path}:3: duplicate: asks what {path}:2 asks",
        f"{path}:4: format: not a row: not JSON: Expecting property name enclosed in double quotes: line 1 column 2 "
        "(char 1)",
        f"{path}:1: output: program 1 gives 'hi', recorded is 'ho'",
    ]
    notes = [line for line in ran.stderr.splitlines() if "per second" not in line]
    assert notes == [
        "running rows",
        "1 system messages are left out when these rows are read",
        "5 findings: 1 duplicate, 1 format, 1 mask, 1 order, 1 output",
    ]
    ran = punie("data", "check", str(path), "--no-tokens", "--json")
    last = json.loads(ran.stdout.splitlines()[-1])
    assert last.pop("rows_per_s") > 0 and last["run"].pop("rows_per_s") > 0
    assert last == {
        "type": "checked", "rows": 3, "unreadable": 1, "systems_left_out": 1,
        "findings": {"order": 1, "mask": 1, "duplicate": 1, "format": 1, "output": 1},
        "run": {"rows": 1, "no_setting": 0, "commands": 0},
    }  # fmt: skip


def test_a_clean_file_exits_with_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNIE_MODEL", str(make_tiny_model(tmp_path / "model")))
    path = write(tmp_path / "rows.jsonl", reads("one", "hi\n"))
    ran = punie("data", "check", str(path), "--no-run")
    assert (ran.code, ran.stdout, ran.stderr.splitlines()[1:]) == (
        0,
        "",
        ["1 rows with programs not run", "no findings"],
    )


def test_rows_of_a_phase_have_its_limit_and_may_run_commands(tmp_path: Path, punie_home: Path) -> None:
    model = make_tiny_model(tmp_path / "model")
    recipe = f'number = 90\ntitle = "t"\nbase = "{model}"\n[rows.groups]\ndirect = 3\n[train]\nmax_tokens = 4000\n'
    (punie_home / "data" / "phases").mkdir(parents=True)
    (punie_home / "data" / "phases" / "90.toml").write_text(recipe)
    folder = punie_home / "data" / "rows" / "90"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    code = 'print(run_command(["touch", "b"]).exit_code)'
    write(folder / "train.jsonl", reads("one", "0\n", code), reads("two", "1\n", code))
    write(folder / "valid.jsonl", direct("three " * 1200))
    write(folder / "test.jsonl", direct("one"))
    renderer = Renderer(PromptCore.build(Registry(load_phase(90).builtins), "tags"), load_tokenizer(model))
    length = len(renderer.row(direct("three " * 1200).messages)[0])
    ran = punie("data", "check", "--phase", "90")
    assert (ran.code, ran.stdout.splitlines()) == (
        1,
        [
            f"{folder}/valid.jsonl:1: length: {length} tokens; 4000 are allowed",
            f"{folder}/test.jsonl:1: leak: asks what {folder}/train.jsonl:1 asks",
            f"{folder}/train.jsonl:2: output: program 1 gives '0', recorded is '1'",
        ],
    )


def test_a_model_that_is_not_there_is_no_clean_check(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", direct("q"))
    ran = punie("data", "check", str(path))
    assert (ran.code, ran.stdout) == (3, "")
    assert punie("data", "check").stderr == (
        "Error: neither a file nor a phase is given\nTry: punie data stats --phase 23\n"
    )


def endless(path: Path) -> None:
    """A pipe that gives rows for ever."""
    os.mkfifo(path)

    def feed() -> None:
        try:
            with path.open("w") as pipe:
                for number in range(10**9):
                    pipe.write(dump_rows([direct(f"question {number // 2}")]))
        except BrokenPipeError:
            pass

    threading.Thread(target=feed, daemon=True).start()


def test_checks_and_merges_do_not_wait_for_the_end_of_a_file(tmp_path: Path) -> None:
    endless(tmp_path / "a")
    findings = look([tmp_path / "a"], None, Looked())
    assert [(f.line, f.kind) for f in islice(findings, 3)] == [(2, "duplicate"), (4, "duplicate"), (6, "duplicate")]
    del findings
    endless(tmp_path / "b")
    rows = read_entries(tmp_path / "b")
    assert [e.row.questions for e in islice(merged(rows, Merged("-")), 3)] == [[f"question {n}"] for n in range(3)]
    del rows


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    def peak(number: int) -> int:
        path = tmp_path / f"{number}.jsonl"
        with path.open("w") as file:
            for i in range(number):
                file.write(dump_rows([row(user(f"q {i}"), answer("word " * 200), family=f"f/{i}")]))
        tracemalloc.start()
        assert list(look([path], None, Looked())) == []
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(10)
    # 1,350 rows more have 1.4 MB of text; the tables of questions and families are as large as for 150.
    assert peak(1500) - peak(150) < 200_000


@given(st.lists(st.integers(1, 2**64 - 1) | st.integers(1, 3).map(lambda n: n * 4096), max_size=60))
def test_the_table_knows_what_came_first(keys: list[int]) -> None:
    table, known = Seen(), {}
    for number, key in enumerate(keys):
        assert table.add(key, number) == known.get(key)
        known.setdefault(key, number)
    assert len(table) == len(known)
    assert [table.get(key) for key in known] == list(known.values())
    assert table.get(2**64 - 7) == known.get(2**64 - 7)


def test_the_table_grows() -> None:
    table = Seen()
    for number in range(20_000):
        assert table.add(fingerprint(str(number)), number) is None
    assert [table.add(fingerprint(str(number)), 0) for number in (0, 4096, 19_999)] == [0, 4096, 19_999]


def test_a_check_can_be_cancelled(tmp_path: Path) -> None:
    rows = write(tmp_path / "rows.jsonl", *(reads(f"q {n}", "", "while True: pass") for n in range(4)))

    async def main() -> None:
        async with asyncio.timeout(1):
            await rerun([rows], lambda finding: None)

    with pytest.raises(TimeoutError):
        asyncio.run(main())
