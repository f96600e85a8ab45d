"""Intents: many, each in really different words, and each at home in some project."""

import asyncio
import tomllib
from random import Random
from typing import Any

import pytest

from punie_cli.paths import shipped
from punie_cli.rows.generate import direct_groups, generate
from punie_cli.rows.intents import Declared, Unsuitable, Voice, groups, quoted, say
from punie_cli.rows.projects import RICHER, make_project
from punie_cli.rows.row import normalise
from punie_cli.sandbox.policy import compile_program

INTENTS = {declared.name: declared for group in groups().values() for declared in group}


def begin(declared: Declared) -> list[Voice]:
    """Voices after the first question and the first program, which must compile; of several projects."""
    voices = []
    for seed in range(120):
        voice = Voice(seed)
        voice.begin(declared.name)
        # A plain project and a richer one in turn: some intents need what only the latter has.
        script = declared.script(make_project(seed + seed % 2 * RICHER), voice)
        try:
            first = next(script)
            second = script.send(first)
        except Unsuitable:
            continue
        assert first.role == "user"
        if second.role == "program":
            compile_program(second.text)
        else:
            assert second.role == "answer"
        voices.append(voice)
        if len(voices) == 5:
            break
    return voices


def test_there_are_many_intents() -> None:
    assert len(INTENTS) >= 40


@pytest.mark.parametrize("name", sorted(INTENTS))
def test_every_intent_has_six_wordings_and_a_project(name: str) -> None:
    voices = begin(INTENTS[name])
    assert len(voices) == 5
    # An intent with several sets of forms has six in each.
    assert min(voice.wordings for voice in voices) >= 6
    assert all(len(voice.families) == 1 for voice in voices)


def test_each_pair_is_asked_in_three_ways_and_answered_shortly() -> None:
    with shipped("rows", "direct.toml").open("rb") as file:
        pairs = tomllib.load(file)["pair"]
    asked = [normalise(question) for pair in pairs for question in pair["questions"]]
    assert len(asked) == len(set(asked))
    assert len(pairs) >= 370
    assert all(len(pair["questions"]) >= 3 and len(pair["answer"]) <= 400 for pair in pairs)


def test_each_pair_of_knowledge_is_asked_in_four_ways_and_not_in_the_other_file() -> None:
    files: list[list[dict[str, Any]]] = []
    for name in ("direct.toml", "knowledge.toml"):
        with shipped("rows", name).open("rb") as file:
            files.append(tomllib.load(file)["pair"])
    asked = [normalise(question) for pairs in files for pair in pairs for question in pair["questions"]]
    assert len(asked) == len(set(asked))
    pairs = files[1]
    assert len(pairs) >= 260
    assert all(len(pair["questions"]) >= 4 and len(pair["answer"]) <= 250 for pair in pairs)


def test_knowledge_comes_from_its_own_file() -> None:
    rows = asyncio.run(generate({"knowledge": 30}, 1, []))
    assert {row.source for row in rows} == {"knowledge"}
    assert all(row.intent.startswith("knowledge-") and len(row.messages) == 2 for row in rows)
    assert len({row.family for row in rows}) == 30


def test_groups_have_one_kind_of_row() -> None:
    assert direct_groups() & set(groups()) == set()


def test_say_fills_choices_and_slots_and_names_the_family() -> None:
    texts, families = set(), set()
    for seed in range(60):
        voice = Voice(seed)
        voice.begin("greet")
        texts.add(say(voice, "(a|b) {path} (x|)\n  c {path}", path="p(q)"))
        families.update(voice.families)
    assert texts == {"a p(q) x", "a p(q)", "b p(q) x", "b p(q)", "c p(q)"}
    assert families == {"greet/0", "greet/1"}


@pytest.mark.parametrize("text", ["a", 'a "b"\n', "a 'b'", "a 'b' \"c\"\n", 'a \\ "b"', "é\n"])
def test_a_quoted_text_is_the_text(text: str) -> None:
    names: dict[str, str] = {}
    exec(f"text = {quoted(text)}", names)
    assert names["text"] == text


def test_projects_are_of_many_names() -> None:
    projects = [make_project(Random(seed).randrange(10**9)) for seed in range(300)]
    assert len({project.name for project in projects}) >= 290
    assert len({path for project in projects for path in project.files}) >= 1500
