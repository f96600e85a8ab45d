"""Programs looked at line by line: what can still become Python is never taken back, what cannot is found at once."""

import re
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlx_lm.models.cache import RotatingKVCache
from mlx_lm.tool_parsers import json_tools, qwen3_coder

from punie_cli.agent.dialects import Native, Tags
from punie_cli.engine.decoder import Decoder
from punie_cli.engine.lines import REPLY_TRIES, TRIES, Dead, LineCheck, can_go_on, is_whole
from punie_cli.models.load import load
from tests.replies import run, words
from tests.rows import programs_of_rows
from tests.tiny import make_tiny_model

TAGS = ("<code>", "</code>")


PROGRAMS = programs_of_rows()
MENDED = [
    "print(1,\n2)\n",
    'text = """one\n\'two\n"""\n',
    'print(f"""{1}\n{2}""")\n',
    "x = 1 + \\\n  2\n",
    "x = 'a\\\nb'\n",
    "try:\n    a()\n\n# why\nexcept ValueError:\n    b()\n",
    "@cache\n\ndef f():\n    return 1\n",
    "if a:\n    b\n\nelif c:\n    d\nelse:\n    e\n",
    "for a in b:\n    c\nelse:\n    d\n",
    "def f():\n    def g():\n        nonlocal x\n        x = 1\n    x = 2\n    g()\n",
    "match a:\n    case 1:\n        b\n    case _:\n        c\n",
    "class A:\n\n    x = '\\d'\n",
]


def feed(check: LineCheck, pieces: list[str]) -> list[str | Dead]:
    return [check.add(token, piece) for token, piece in enumerate(pieces)]


def split(text: str) -> list[str]:
    """Tokens as a byte-pair encoding makes them: words with the space before them, line ends with indentation."""
    return re.findall(r"\n(?:[ ]*(?=[ ]))?| ?\w+| ?[^\w\s]|\s", text)


@pytest.mark.parametrize("program", MENDED)
def test_what_later_lines_mend_is_alive(program):
    lines = program.splitlines(keepends=True)
    assert is_whole(program)
    assert all(can_go_on("".join(lines[:count])) for count in range(len(lines) + 1))


def test_no_program_of_the_rows_is_taken_back():
    assert len(PROGRAMS) > 800
    for program in PROGRAMS:
        reply = f"<code>\n{program}\n</code>"
        check = LineCheck(TAGS)
        shown = feed(check, split(reply))
        assert "".join(map(str, [*shown, check.end(0, "")])) == reply
        assert check.dropped == 0


@pytest.mark.parametrize(
    "line",
    [
        "print('a)",
        "print(a))",
        "print(a",  # with </code> behind it
        "  print(a)",
        "if a",
        "if a:\nprint(b)",
        "return a",
        "x = [1, 2)",
        "for in b:",
        "else:",
        "a b",
        "result = typecheck(path='a.py'",
        "print(f'{a b}')",
        'text = """',
        "try:\n    a()",
        "@cache",
    ],
)
def test_what_nothing_mends_is_found(line):
    pieces = split(f"<code>\nx = 1\n{line}\n</code>\n")
    check = LineCheck(TAGS)
    shown = []
    for token, piece in enumerate(pieces):
        shown.append(check.add(token, piece))
        if isinstance(shown[-1], Dead):
            break
    *texts, dead = shown
    assert isinstance(dead, Dead)
    last = line.rpartition("\n")[2]
    out = "".join(map(str, texts))
    # At the latest where the program is closed, and nothing of the last line was shown.
    assert out in (f"<code>\nx = 1\n{line}"[: -len(last) - 1], f"<code>\nx = 1\n{line}")
    assert dead.banned == {len(texts) + 1 - dead.drop}


@pytest.mark.parametrize(
    ("line", "banned"),
    [
        ("print(a))\n", ")"),
        ("print('a)\n", "\n"),
        ("x = f(1, ]\n", " ]"),
        ("if a = 1 :\n", " ="),
        ("for x in range(3)\n", "\n"),
        ("else:\n", "else"),
        ("return x\n", "return"),
    ],
)
def test_the_token_that_led_astray_is_the_banned_one(line, banned):
    pieces = split(f"<code>\nx = 1\n{line}")
    dead = feed(LineCheck(TAGS), pieces)[-1]
    assert isinstance(dead, Dead)
    (token,) = dead.banned
    assert pieces[token] == banned
    assert token == len(pieces) - dead.drop


def test_a_wrong_indentation_is_taken_back_with_its_line_end():
    pieces = split("<code>\nx = 1\n    y = 2\n")
    dead = feed(LineCheck(TAGS), pieces)[-1]
    assert isinstance(dead, Dead)
    assert [pieces[token] for token in dead.banned] == ["\n   "]


def test_the_line_end_of_the_opening_tag_may_be_taken_back_too():
    check = LineCheck(TAGS)
    assert feed(check, ["<code>", "\n   ", " x", "\n"]) == ["<code>", "", "", Dead(3, frozenset({1}))]
    assert feed(check, ["\n", "x", "\n", "</code>"]) == ["", "", "\nx", ""]
    assert check.end(9, "") == "\n</code>"


def test_a_string_that_is_not_closed_is_tried_once_at_its_line_end():
    check = LineCheck(TAGS)
    assert feed(check, ["<code>\n", "print(", "'a", ")", "\n"])[-1] == Dead(1, frozenset({4}))
    assert (check.add(5, "  # more"), check.add(6, "\n")) == ("", Dead(5, frozenset({1})))


def test_a_line_is_tried_three_times_and_then_goes_on():
    check = LineCheck(TAGS)
    assert "".join(map(str, feed(check, split("<code>\na = 1\n")))) == "<code>\na = 1"
    tries = [
        ["p", "(", "b", "]", "\n"],
        ["}", "\n"],
        [")", ")", "\n"],
    ]
    bans = []
    for pieces in tries:
        *texts, dead = [check.add(ord(piece), piece) for piece in pieces]
        assert set(texts) == {""}
        bans.append(dead)
    assert bans == [
        Dead(2, frozenset({ord("]")})),
        Dead(2, frozenset({ord("]"), ord("}")})),
        Dead(6, frozenset({ord("p")})),
    ]
    assert check.dropped == 10
    assert "".join(map(str, feed(check, ["print(", "]", "\n", "x", ")", "\n", "</code>"]))) == (
        "\nprint(]\nx)\n</code>"
    )


def test_bans_add_up_at_one_place():
    check = LineCheck(TAGS)
    feed(check, ["<code>\n", "x = 1\n"])
    seen = []
    for token in (10, 11, 12):
        seen.append(check.add(token, "))\n"))
    assert seen == [Dead(1, frozenset(range(10, 11 + n))) for n in range(3)]
    assert check.add(13, "))\n") == "\n))\n"
    assert check.dropped == TRIES


def test_a_reply_is_tried_six_times():
    check = LineCheck(TAGS)
    feed(check, ["<code>\n"])
    for line in range(REPLY_TRIES):
        assert check.add(1, ")\n") == Dead(1, frozenset({1}))
        assert isinstance(check.add(2, f"a{line}\n"), str)
    assert check.add(1, ")\n") == "\n)\n"


def test_a_program_that_ends_open_is_found_at_the_end_token():
    check = LineCheck(TAGS)
    assert feed(check, ["<code>\n", "f(", "1"]) == ["<code>", "", ""]
    assert check.end(9, "") == Dead(3, frozenset({1}))
    assert check.add(3, "g()") == ""
    assert check.end(9, "") == "\ng()"


def test_without_tags_and_outside_of_them_nothing_is_held_back():
    assert feed(LineCheck(None), ["<code>\n", ")\n"]) == ["<code>\n", ")\n"]
    assert feed(LineCheck(TAGS), ["a (\n", " <", "code> x\n)"]) == ["a (\n", " <", "code> x\n)"]
    check = LineCheck(TAGS)
    assert feed(check, ["<code>\n", "a\n</code>\n", ")", "\n"]) == ["<code>", "\na\n</code>\n", ")", "\n"]


def test_what_is_held_back_comes_out_where_a_reply_is_cut():
    check = LineCheck(TAGS)
    feed(check, ["<code>\n", "a = 1\n", "b ="])
    assert check.rest() == "\nb ="


@given(st.sampled_from(PROGRAMS), st.data())
def test_a_spoilt_program_is_found_at_its_close(program, data):
    """One character is taken out, put in or doubled: if that is no Python, a line of it is taken back."""
    place = data.draw(st.integers(0, len(program)))
    spoilt = program[:place] + data.draw(st.sampled_from(["", "(", ")", '"', "'", ":", " "])) + program[place + 1 :]
    check = LineCheck(TAGS)
    shown = feed(check, split(f"<code>\n{spoilt}\n</code>"))
    last = check.end(0, "") if not any(isinstance(text, Dead) for text in shown) else ""
    dead = any(isinstance(text, Dead) for text in [*shown, last])
    assert dead == (not is_whole(spoilt))


@given(st.text("ab()[]'\" \n:=\\#", max_size=40), st.text("ab()[]'\" \n:=\\#", max_size=30))
def test_what_can_be_completed_is_alive(head, tail):
    if is_whole(head + "\n" + tail):
        assert can_go_on(head + "\n")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


class Scripted(nn.Module):
    """A real model with its cache, whose reply is a script: what it would like best at each place of it."""

    def __init__(self, model: Any, prompt: int, script: list[list[int]]) -> None:
        super().__init__()
        self.model, self.layers, self._prompt, self._script = model, model.layers, prompt, script

    def __call__(self, tokens: mx.array, cache: Any = None) -> mx.array:
        first = cache[0].offset + 1 - self._prompt
        logits = self.model(tokens, cache=cache)
        for place in range(tokens.shape[1]):
            wishes = self._script[first + place] if 0 <= first + place < len(self._script) else []
            for rank, token in enumerate(wishes):
                logits[0, place, token] = 1000.0 - rank
        return logits


@pytest.mark.parametrize(
    ("script", "text", "dropped"),
    [
        ("<code>\nprint(1))\n</code>", "<code>\nprint(1)\n\n</code>", 2),
        ("<code>\nprint(1)\n</code>", "<code>\nprint(1)\n</code>", 0),
        ("print(1))\n", "print(1))\n", 0),
    ],
)
def test_a_decoder_takes_back_and_its_cache_is_that_of_what_stays(tiny, script, text, dropped):
    model, tokenizer, _ = load(tiny)
    tokens = words(tokenizer, 20)
    one = {c: tokenizer.encode(c, add_special_tokens=False)[0] for c in script}
    wishes = [[one[c]] for c in script] + [[tokenizer.eos_token_id]]
    if dropped:
        wishes[script.index("))") + 1].append(one["\n"])
    decoder = Decoder(Scripted(model, len(tokens), wishes), tokenizer, chunk=16)
    reply = run(decoder, tokens, 60, tags=TAGS)
    assert (reply.text, reply.finish) == (text, "stop")
    assert reply.tokens == [*(one[c] for c in text), tokenizer.eos_token_id]
    assert (reply.usage.dropped_tokens, reply.usage.completion_tokens) == (dropped, len(text) + 1)
    fresh = Decoder(model, tokenizer, chunk=16)
    run(fresh, tokens + reply.tokens, 0)
    assert decoder._held == fresh._held
    for kept, read in zip(decoder._cache, fresh._cache, strict=True):
        assert kept.offset == read.offset
        assert mx.allclose(kept.keys[..., : kept.offset, :], read.keys[..., : read.offset, :], atol=2e-2)


def test_a_cache_that_cannot_be_trimmed_has_no_check(tiny):
    model, tokenizer, _ = load(tiny)
    script = "<code>\n)\n</code>"
    one = {c: tokenizer.encode(c, add_special_tokens=False)[0] for c in script}
    tokens = words(tokenizer, 20)
    scripted = Scripted(model, len(tokens), [[one[c]] for c in script] + [[tokenizer.eos_token_id]])
    scripted.make_cache = lambda: [RotatingKVCache(max_size=200) for _ in model.layers]
    reply = run(Decoder(scripted, tokenizer, chunk=16), tokens, 60, tags=TAGS)
    assert (reply.text, reply.usage.dropped_tokens) == (script, 0)


def test_the_dialects_that_have_a_program_on_lines_of_its_own():
    assert Tags().tags == TAGS
    assert Native(qwen3_coder.parse_tool_call, "<tool_call>", "</tool_call>").tags == (
        "<parameter=code>",
        "</parameter>",
    )
    assert Native(json_tools.parse_tool_call, "<tool_call>", "</tool_call>").tags is None
