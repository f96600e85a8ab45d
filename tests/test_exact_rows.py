"""Functions that are described in words, and short talk: code does what it should, questions stand in one file only."""

import asyncio
import subprocess
import sys
import tomllib
from pathlib import Path
from random import Random
from typing import Any

import pytest

from punie_cli.paths import shipped
from punie_cli.rows.described import described, descriptions, fill
from punie_cli.rows.generate import generate
from punie_cli.rows.oddities import framed, odd_line
from punie_cli.rows.projects import VALUES, make_project
from punie_cli.rows.row import normalise
from punie_cli.rows.values import Value, values_of, versions_of


@pytest.mark.parametrize("entry", descriptions(), ids=lambda entry: entry["names"][0])
def test_described_code_does_what_its_examples_say(entry: dict[str, Any]) -> None:
    for turn in range(3):
        slots = {key: entry[key][turn % len(entry[key])] for key in ("a", "b") if key in entry}
        function = fill(entry, "f", slots | {"n": 15, "m": 100}, Random(turn))
        names: dict[str, Any] = {}
        exec(function.code, names)
        assert [example for example in entry["examples"] if not eval(example, names)] == []


def test_ty_accepts_all_described_code(tmp_path: Path) -> None:
    parts = []
    for number, entry in enumerate(descriptions()):
        slots = {key: entry[key][0] for key in ("a", "b") if key in entry}
        parts.append(fill(entry, f"f{number}", slots | {"n": 15, "m": 100}, Random(0)).code)
    (tmp_path / "all.py").write_text("\n\n".join(parts), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "ty", "check", "--project", str(tmp_path), str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


def test_descriptions_are_many_and_fill_all_slots() -> None:
    assert len(descriptions()) >= 60
    assert not any("$" in part for seed in range(200) for part in vars(described(Random(seed))).values())


def test_a_frame_does_not_occur_in_its_line() -> None:
    for seed in range(300):
        text = odd_line(Random(seed))
        shown = framed(Random(seed), text)
        assert shown[1:-1] == text == text.strip()
        assert shown[0] not in text


def test_projects_with_values_have_versions_and_switches() -> None:
    projects = [make_project(VALUES + seed) for seed in range(20)]
    assert sum(len(versions_of(project)) > 1 for project in projects) >= 15
    kinds = {value.kind for project in projects for value in values_of(project)}
    assert kinds == {"switch", "number", "text"}


@pytest.mark.parametrize(
    ("line", "value", "new", "whole"),
    [
        ("a = 4", "4", "50", "a = 50"),
        ('NAME: str = "oak"', '"oak"', "elm", 'NAME: str = "elm"'),
        ("on_top: on", "on", "off", "on_top: off"),
    ],
)
def test_a_value_changes_where_it_stands(line: str, value: str, new: str, whole: str) -> None:
    assert Value("a.ini", line, line.split()[0], value).to(new) == whole


def test_talk_is_asked_in_three_ways_and_in_no_other_file() -> None:
    files: list[list[dict[str, Any]]] = []
    for name in ("direct.toml", "knowledge.toml", "talk.toml"):
        with shipped("rows", name).open("rb") as file:
            files.append(tomllib.load(file)["pair"])
    asked = [normalise(question) for pairs in files for pair in pairs for question in pair["questions"]]
    assert len(asked) == len(set(asked))
    assert len(files[2]) >= 140
    assert all(len(pair["questions"]) >= 3 and len(pair["answer"]) <= 250 for pair in files[2])


def test_talk_comes_from_its_own_file() -> None:
    rows = asyncio.run(generate({"talk": 30}, 1, []))
    assert {row.source for row in rows} == {"talk"}
    assert len({row.family for row in rows}) == 30
