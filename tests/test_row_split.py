"""Splits: exact sizes, whole families, alike in their sources."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.agent.messages import answer, user
from punie_cli.errors import UsageError
from punie_cli.rows.row import Row
from punie_cli.rows.split import sizes, split_rows


def row(question: str, family: str = "", source: str = "s", intent: str = "i") -> Row:
    return Row(source=source, intent=intent, project="", messages=(user(question), answer("a")), family=family)


@pytest.mark.parametrize(
    "number, wanted", [(757, (605, 75, 77)), (707, (565, 70, 72)), (20, (16, 2, 2)), (1, (0, 0, 1))]
)
def test_sizes(number: int, wanted: tuple[int, int, int]) -> None:
    assert sizes(number, (80, 10, 10)) == wanted


@given(st.lists(st.text(min_size=1), unique=True, min_size=1, max_size=60))
def test_a_split_loses_nothing_and_ignores_the_order(questions: list[str]) -> None:
    rows = list({r.questions[0]: r for r in map(row, questions)}.values())
    split, again = split_rows(rows, (80, 10, 10)), split_rows(rows[::-1], (80, 10, 10))
    assert sorted(r.id for side in split.sides().values() for r in side) == sorted(r.id for r in rows)
    assert tuple(len(side) for side in split.sides().values()) == sizes(len(rows), (80, 10, 10))
    assert {r.id for r in split.valid} == {r.id for r in again.valid}


@given(st.lists(st.integers(1, 6), min_size=40, max_size=80))
def test_families_stay_together(family_sizes: list[int]) -> None:
    rows = [row(f"q{f} {n}", f"f/{f}", f"s{f % 3}") for f, size in enumerate(family_sizes) for n in range(size)]
    split = split_rows(rows, (80, 10, 10))
    sides = [{r.family for r in side} for side in split.sides().values()]
    assert sum(len(side) for side in sides) == len(family_sizes)
    assert [len(side) for side in split.sides().values()] == list(sizes(len(rows), (80, 10, 10)))


def test_two_turns_bind_their_families_and_equal_questions_bind_their_rows() -> None:
    rows = [row(f"q{n}", f"f/{n}") for n in range(40)]
    rows += [row("two", "f/1+f/2"), row("q3"), row("Q3!", "f/30")]
    split = split_rows(rows, (80, 10, 10))
    for side in split.sides().values():
        families = {family for r in side for family in r.family.split("+")}
        assert len(families & {"f/1", "f/2"}) in (0, 2)
        assert len(families & {"f/3", "f/30"}) in (0, 2)


def test_sources_are_shared_out_alike() -> None:
    rows = [row(f"{s} {n}", source=s) for s, number in (("a", 100), ("b", 50), ("c", 50)) for n in range(number)]
    split = split_rows(rows, (80, 10, 10))
    assert Counter(r.source for r in split.valid) == Counter(r.source for r in split.test) == {"a": 10, "b": 5, "c": 5}


def test_every_intent_reaches_train() -> None:
    rows = [row(f"q{n}", f"f/{n // 2}", intent=f"i{n // 4}") for n in range(200)]
    split = split_rows(rows, (50, 25, 25))
    assert {r.intent for r in split.train} == {r.intent for r in rows}


def test_families_that_do_not_fit_are_said() -> None:
    rows = [row(f"q{n}", f"f/{n // 10}") for n in range(20)]
    with pytest.raises(UsageError) as caught:
        split_rows(rows, (80, 10, 10))
    assert caught.value.message == "no phrasing families come to exactly 2 rows for test"
