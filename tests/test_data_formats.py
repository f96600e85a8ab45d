"""Rows in the forms of other trainers: read with what is left out said, written so that they come back as they were."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx_lm.tuner.datasets import create_dataset

from punie_cli.agent.dialects import EXECUTE_CODE
from punie_cli.agent.messages import Message, answer, output, program, user
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.errors import MissingError, UsageError
from punie_cli.models.load import load_tokenizer
from punie_cli.rows.chats import FormatError
from punie_cli.rows.formats import Broken, Entry, Form, Writer, parse, read_entries, scan
from punie_cli.rows.row import Row, Setting, dump_rows
from tests.command_line import CharTokenizer, punie
from tests.tiny import make_tiny_model

TAG_TEXTS = st.sampled_from(
    [
        "<code>\nx\n</code>", "<output>\nx\n</output>", "\\<code>", "(no output)", "Error: E: x", "a\nError: No: 1\n",
        "<context>\nt\n</context>\n\nq", "", "\n", "x\n\n", "\r\n", "<code>x</code>",
    ]
)  # fmt: skip
TEXTS = TAG_TEXTS | st.text() | st.builds(lambda a, b: f"{a}\n{b}", TAG_TEXTS, st.text())


@st.composite
def messages(draw: st.DrawFn) -> Message:
    role: Any = draw(st.sampled_from(["user", "program", "output", "answer"]))
    error = draw(st.none() | TEXTS) if role == "output" else None
    return Message(role=role, text=draw(TEXTS), error=error)


ROWS = st.builds(
    Row,
    source=st.text(),
    intent=st.text(),
    project=st.text(),
    messages=st.lists(messages(), max_size=6).map(tuple),
    tail=st.none() | TEXTS,
    family=st.text(),
    setting=st.none() | st.builds(Setting, project=st.none() | st.integers(0, 99)),
)
TURN = (user("how many?"), program("print(2)"), output("2\n"), answer("There are 2."))
ROW = Row(source="check", intent="count", project="shop", messages=TURN, tail="Be brief.", family="count/a")


def call(code: Any, name: str = "execute_code", id: str | None = None) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": code}}


def entry(row: Row, form: Form = "punie", raw: str = "") -> Entry:
    return Entry("rows.jsonl", 1, form, row, raw)


@pytest.mark.parametrize("form", ["punie", "messages", "tools"])
@given(row=ROWS)
def test_a_row_comes_back_as_it_was(form: Form, row: Row) -> None:
    (line,) = Writer(form).lines(entry(row))
    read, seen, notes = parse(line)
    assert (read, seen, notes) == (row, form, ())


@given(st.lists(messages(), min_size=1, max_size=6))
def test_any_reply_is_one_completion(found: list[Message]) -> None:
    row = Row(source="s", intent="", project="", messages=tuple(found))
    lines = [parse(line)[0].messages for line in Writer("completion").lines(entry(row))]
    assert [m[-1] for m in lines] == [m for m in found if m.from_model]


def test_messages_are_what_punie_itself_renders() -> None:
    (line,) = Writer("messages").lines(entry(ROW))
    written = json.loads(line)
    core = PromptCore.build(Registry(), "tags")
    assert written["messages"] == Renderer(core, CharTokenizer()).chat(ROW.messages, tail=ROW.tail)
    assert json.loads(written["punie"]) == {
        "source": "check", "intent": "count", "project": "shop", "tail": "Be brief.", "family": "count/a",
    }  # fmt: skip


def test_programs_are_calls_of_one_tool() -> None:
    (line,) = Writer("tools").lines(entry(ROW))
    written = json.loads(line)
    assert written["tools"] == [EXECUTE_CODE]
    assert written["messages"][1:] == [
        {"role": "user", "content": "<context>\nBe brief.\n</context>\n\nhow many?"},
        {"role": "assistant", "content": "", "tool_calls": [call({"code": "print(2)"}, id="call00001")]},
        {"role": "tool", "tool_call_id": "call00001", "name": "execute_code", "content": "2"},
        {"role": "assistant", "content": "There are 2."},
    ]


def test_a_completion_has_all_that_stands_before_it() -> None:
    assert [json.loads(line) for line in Writer("completion").lines(entry(ROW))] == [
        {"prompt": "<context>\nBe brief.\n</context>\n\nhow many?", "completion": "<code>\nprint(2)\n</code>"},
        {
            "prompt": "<context>\nBe brief.\n</context>\n\nhow many?\n\n<code>\nprint(2)\n</code>\n\n"
            "<output>\n2\n</output>",
            "completion": "There are 2.",
        },
    ]


def test_a_text_is_what_the_chat_template_makes_of_the_messages() -> None:
    tokenizer = CharTokenizer()
    renderer = Renderer(PromptCore.build(Registry(), "tags"), tokenizer)
    (text,) = Writer("text", renderer).lines(entry(ROW))
    (chat,) = Writer("messages").lines(entry(ROW))
    rendered = tokenizer.apply_chat_template(json.loads(chat)["messages"], add_generation_prompt=False)
    assert json.loads(text) == {"text": rendered}
    read, form, _ = parse(text)
    assert (read.messages, form) == ((user(rendered),), "text")


def test_an_edited_text_wins_over_what_was_kept() -> None:
    row = Row(source="s", intent="", project="", messages=(user("q"), program("x"), output("1"), answer("a")))
    (line,) = Writer("messages").lines(entry(row))
    assert parse(line)[0] == row
    edited = parse(line.replace("<output>\\n1\\n", "<output>\\n2\\n"))[0]
    assert edited.messages == (user("q"), program("x"), output("2\n"), answer("a"))
    (line,) = Writer("messages").lines(entry(ROW))
    assert parse(line.replace("Be brief.\\n</context>", "Be long.\\n</context>"))[0].tail is None


@pytest.mark.parametrize(
    "fields, form, found, notes",
    [
        (
            {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]},
            "messages", [user("q"), answer("a")], [],
        ),
        (
            {"messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "q"},
                          {"role": "assistant", "content": "Let me look.\n<code>\nx\n</code>\nDone."},
                          {"role": "user", "content": "<output>\n1\nError: ValueError: bad\n</output>"},
                          {"role": "assistant", "content": "a"}]},
            "messages", [user("q"), program("x"), output("1\n", "ValueError: bad"), answer("a")],
            ["a system message is left out", "text before a program is left out: 'Let me look.'",
             "text after a program is left out: 'Done.'"],
        ),
        (
            {"messages": [{"role": "user", "content": "q"},
                          {"role": "assistant", "content": None, "tool_calls": [call('{"code": "x"}', id="1"),
                                                                                call({"code": "y"}, id="2")]},
                          {"role": "tool", "tool_call_id": "2", "content": "two"},
                          {"role": "tool", "tool_call_id": "1", "content": "(no output)"},
                          {"role": "assistant", "content": "see <code>\nz"}]},
            "tools",
            [user("q"), program("x"), output(""), program("y"), output("two\n"), answer("see <code>\nz")], [],
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "q"}]},
                          {"role": "assistant", "content": "I act.", "tool_calls": [call({"code": "x"})]}],
             "tool": []},
            "tools", [user("q"), program("x")],
            ["unknown field 'tool'; did you mean 'tools'?", "text before a program is left out: 'I act.'"],
        ),
        ({"prompt": "q", "completion": "<code>\nx\n</code>"}, "completion", [user("q"), program("x")], []),
        (
            {"prompt": [{"role": "user", "content": "q"}], "completion": [{"role": "assistant", "content": "a"}]},
            "completion", [user("q"), answer("a")], [],
        ),
        ({"text": "all of it"}, "text", [user("all of it")], []),
        (
            {"messages": [{"role": "user", "content": "q", "wieght": 1}, {"role": "assistant", "content": "a"}]},
            "messages", [user("q"), answer("a")], ["unknown field 'wieght'"],
        ),
    ],
)  # fmt: skip
def test_rows_from_elsewhere(fields: Any, form: Form, found: list[Message], notes: list[str]) -> None:
    row, seen, said = parse(json.dumps(fields))
    assert (seen, list(row.messages), [note.text for note in said]) == (form, found, notes)
    assert row.source == form


@pytest.mark.parametrize(
    "line, problem",
    [
        ("{", "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("[]", "not a JSON object"),
        (
            '{"mesages": []}',
            "no messages, text, or prompt and completion; unknown field 'mesages'; did you mean 'messages'?",
        ),
        ('{"messages": 1}', "messages is not a list"),
        ('{"messages": [1]}', "messages.0: not an object"),
        ('{"messages": [{"role": "assistent"}]}', "messages.0: unknown role 'assistent'; did you mean 'assistant'?"),
        ('{"messages": [{"role": "user", "content": 1}]}', "messages.0: content is not text"),
        (
            '{"messages": [{"role": "user", "content": [{"type": "image"}]}]}',
            "messages.0: content has a part that is not text",
        ),
        ('{"messages": [{"role": "assistant"}]}', "messages.0: an assistant message without content or calls"),
        (
            json.dumps({"messages": [{"role": "assistant", "tool_calls": [call({}, "grep")]}]}),
            "messages.0: calls 'grep'; the one tool is execute_code(code)",
        ),
        (
            json.dumps({"messages": [{"role": "assistant", "tool_calls": [call("{")]}]}),
            "messages.0: the arguments of execute_code are not JSON: Expecting property name enclosed in double "
            "quotes: line 1 column 2 (char 1)",
        ),
        (
            json.dumps({"messages": [{"role": "assistant", "tool_calls": [call({"cod": 1})]}]}),
            "messages.0: execute_code is called without code",
        ),
        ('{"prompt": 1, "completion": ""}', "prompt is neither text nor a list of messages"),
        ('{"text": "\\ud800"}', "half a surrogate pair"),
        ('{"source": "s", "intent": "i", "messages": []}', "project: Field required"),
        (
            '{"source": "s", "intent": "i", "project": "", "messages": [], "famly": "x"}',
            "unknown field 'famly'; did you mean 'family'?",
        ),
        (
            '{"source": "s", "intent": "", "project": "", "messages": [{"role": "user", "text": "q", "eror": "x"}]}',
            "messages.0: unknown field 'eror'; did you mean 'error'?",
        ),
        ('{"messages": [], "punie": "["}', "the field punie cannot be read: Expecting value: line 1 column 2 (char 1)"),
        ('{"messages": [], "punie": "{}"}', "punie.source: Field required"),
    ],
)  # fmt: skip
def test_what_is_no_row_says_why(line: str, problem: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(line)
    assert str(caught.value) == problem


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "messages",
                        "role",
                        "content",
                        "text",
                        "tool_calls",
                        "function",
                        "punie",
                        "prompt",
                        "completion",
                        "tools",
                    ]
                ),
                inner,
            )
        ),
    )
)
def test_any_json_is_a_row_or_says_why_not(value: Any) -> None:
    try:
        parse(json.dumps(value))
    except FormatError as problem:
        assert str(problem)


def test_each_line_has_its_own_form_and_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(
        b'\xef\xbb\xbf{"text": "a"}\r\n\n{"prompt": "q", "completion": "\xe2\x80\xa8"}\n\xff\n{"source": 1}\n'
    )
    found = [(f.line, f.kind if isinstance(f, Broken) else f.form) for f in scan(path)]
    assert found == [(1, "text"), (3, "completion"), (4, "format"), (5, "format")]
    with pytest.raises(UsageError) as caught:
        list(read_entries(path))
    assert caught.value.message == f"{path}:4: not text (UTF-8)"
    with pytest.raises(MissingError):
        list(scan(tmp_path / "absent.jsonl"))


def test_a_text_has_no_other_form(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "all"}\n')
    ran = punie("data", "merge", f"{tmp_path}/a.jsonl", "-o", f"{tmp_path}/b.jsonl")
    assert (ran.code, ran.stdout, sorted(p.name for p in tmp_path.iterdir())) == (2, "", ["a.jsonl"])
    assert ran.stderr == (
        f"Error: {tmp_path}/a.jsonl:1: a text has no turns, so that nobody can say what the model wrote in it\n"
        "Try: --format text\n"
    )


def test_a_row_that_the_chat_template_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = (
        "{% for m in messages %}{% if loop.index0 > 1 and m.role == messages[loop.index0 - 1].role %}"
        "{{ raise_exception('roles must alternate') }}{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    monkeypatch.setenv("PUNIE_MODEL", str(make_tiny_model(tmp_path / "model", chat_template=template)))
    twice = Row(source="s", intent="", project="", messages=(user("q"), user("r"), answer("a")))
    path = tmp_path / "rows.jsonl"
    path.write_text(dump_rows([ROW, twice]))
    for command in (["merge", "--format", "text", "-o", "-"], ["show", "--row", "2"]):
        ran = punie("data", command[0], str(path), *command[1:])
        assert (ran.code, ran.stderr.splitlines()[0]) == (2, f"Error: {path}:2: roles must alternate")
    checked = punie("data", "check", str(path), "--no-run")
    assert checked.stdout.splitlines() == [
        f"{path}:2: order: two questions without an answer between them",
        f"{path}:2: mask: roles must alternate",
    ]
    assert "rows not rendered\t1\t" in punie("data", "stats", str(path)).stdout


@pytest.mark.parametrize("form, length", [("messages", 1), ("tools", 1), ("completion", 2), ("text", 1)])
def test_mlx_lm_reads_what_is_written(form: Form, length: int, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(make_tiny_model(tmp_path))
    renderer = Renderer(PromptCore.build(Registry(), "tags"), tokenizer)
    row = ROW if form != "tools" else ROW.model_copy(update={"messages": (user("q"), answer("a"))})
    data = [json.loads(line) for line in Writer(form, renderer).lines(entry(row))]
    config: Any = type("Config", (), {"mask_prompt": False})()
    dataset = create_dataset(data, tokenizer, config)
    assert [len(dataset.process(d)[0]) > 20 for d in data] == [True] * length
