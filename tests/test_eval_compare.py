"""Scores of an evaluation and comparisons of two: published examples, samples, what is left out."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.errors import UsageError
from punie_cli.evaluation import compare as room
from punie_cli.evaluation.compare import LeftOut, compare, paired_interval, sign_test
from punie_cli.evaluation.score import interval
from punie_cli.evaluation.scores import Spread, Tally, pass_k, scores
from tests.evals import case_run, eval_run, passes

# Scores


def test_scores_of_parts_suites_and_groups() -> None:
    failed: dict[str, Any] = {"calls": {"ok": False, "reason": "no call"}, "fields_asked": True}
    cases = [
        *passes("++-", group="fix"),
        case_run("d", suite="phase23", group="regression", steps=4, completion_tokens=100, seconds=3.5),
        case_run("e", False, suite="phase23", group="", fields=False, **failed),
        case_run("f", suite="phase23", group="", fields=True, fields_asked=True),
    ]
    found = scores(eval_run(cases))
    assert found.parts == {
        "whole": Tally(4, 6, 6),
        "calls": Tally(5, 6, 6),
        "files": Tally(6, 6, 6),
        "answer": Tally(4, 6, 6),
        "fields": Tally(1, 2, 2),
    }
    assert found.suites == {"core": Tally(2, 3, 3), "phase23": Tally(2, 3, 3)}
    assert found.groups == {("core", "fix"): Tally(2, 3, 3), ("phase23", "regression"): Tally(1, 1, 1)}
    assert (found.pass_k, found.steps, found.tokens) == ((4 / 6,), Spread(2, 14 / 6), Spread(40, 50))
    assert found.seconds.median == 1.5 and math.isclose(found.seconds.mean, 11 / 6)


def test_a_run_without_cases_has_scores() -> None:
    found = scores(eval_run([]))
    assert (found.whole.share, found.whole.interval, found.pass_k, found.fields) == (0.0, (0.0, 1.0), (), None)


def test_samples_make_no_interval_narrower() -> None:
    one = scores(eval_run(passes("+++-"))).whole
    four = scores(eval_run([case for n in range(4) for case in passes("+++-", sample=n)])).whole
    assert (four.passed, four.n, four.cases, four.share) == (12, 16, 4, 0.75)
    assert four.interval == one.interval == interval(3, 4)


def test_pass_k_counts_subsets() -> None:
    """By hand: 3 of 4 samples passed, and 1 of 4; of 6 pairs 3 and 0 have both passed."""
    cases = [case_run("a", n != 0, sample=n) for n in range(4)] + [case_run("b", n == 0, sample=n) for n in range(4)]
    assert pass_k(cases) == (0.5, 0.25, 0.125, 0.0)


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=6))
def test_pass_k_falls_from_the_share(samples: list[list[bool]]) -> None:
    cases = [case_run(f"c{c}", ok, sample=n) for c, row in enumerate(samples) for n, ok in enumerate(row)]
    found = pass_k(cases)
    assert math.isclose(found[0], scores(eval_run(cases)).whole.share)
    assert list(found) == sorted(found, reverse=True)
    assert math.isclose(found[-1], sum(all(row) for row in samples) / len(samples))


# The interval of a difference


@pytest.mark.parametrize(
    ("both", "only_b", "only_a", "neither", "low", "high"),
    [
        # Fagerland, Lydersen, Laake: Statistical Analysis of Contingency Tables, chapter 8 (Bentur 2009, Cavo 2012).
        (1, 1, 7, 12, -0.507, -0.026),
        (59, 6, 16, 80, -0.119, -0.005),
        # Altman, Machin, Bryant, Gardner: Statistics with Confidence, table 6.2.
        (14, 5, 0, 22, 0.011, 0.226),
    ],
)
def test_published_intervals(both: int, only_b: int, only_a: int, neither: int, low: float, high: float) -> None:
    found = paired_interval(both, only_b, only_a, neither)
    # Books print three digits, one of them cut off.
    assert found == (pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))


@pytest.mark.parametrize(("more", "fewer", "p"), [(1, 7, 0.0703), (6, 16, 0.0525), (5, 0, 0.0625), (0, 0, 1.0)])
def test_exact_p(more: int, fewer: int, p: float) -> None:
    assert round(sign_test(more, fewer), 4) == round(sign_test(fewer, more), 4) == p


counts = st.integers(0, 60)


@given(counts, counts, counts, counts)
def test_an_interval_holds_its_difference_and_turns_around(both: int, only_b: int, only_a: int, neither: int) -> None:
    n = both + only_b + only_a + neither
    if n == 0:
        return
    low, high = paired_interval(both, only_b, only_a, neither)
    assert -1 <= low <= (only_b - only_a) / n + 1e-12 and (only_b - only_a) / n - 1e-12 <= high <= 1
    back = paired_interval(both, only_a, only_b, neither)
    assert back == (pytest.approx(-high), pytest.approx(-low))


# Two runs


def test_what_changed() -> None:
    a, b = eval_run(passes("++--+")), eval_run(passes("+-+++"), "e0002")
    found = compare(a, b)
    assert (found.difference.n, found.difference.a, found.difference.b) == (5, 0.6, 0.8)
    assert (found.difference.low, found.difference.high) == paired_interval(2, 2, 1, 0)
    assert (found.difference.p, found.difference.verdict) == (1.0, "no difference seen")
    assert [(c.case, c.a_reason, c.b_reason) for c in found.gained] == [
        ("c2", "the answer does not state 3", ""),
        ("c3", "the answer does not state 3", ""),
    ]
    assert [(c.case, c.a, c.b, c.b_reason) for c in found.lost] == [("c1", 1.0, 0.0, "the answer does not state 3")]
    assert found.left_out == () and found.parts["calls"].value == 0 and list(found.suites) == ["core"]


def test_verdicts() -> None:
    good, half, near = eval_run(passes("+" * 20)), eval_run(passes("+-" * 10)), eval_run(passes("+" * 18 + "--"))
    verdicts = [compare(a, b).difference.verdict for a, b in ((good, half), (half, good), (good, near), (good, good))]
    assert verdicts == ["worse", "better", "no difference seen", "no difference seen"]


def test_cases_that_only_one_has_are_left_out() -> None:
    a = eval_run([*passes("++"), *passes("+", suite="old"), *passes("+", suite="mine")])
    b = eval_run([*passes("-"), *passes("-", suite="old")], "e0002")
    b = b.model_copy(update={"suite_hashes": b.suite_hashes | {"old": "11" * 32}})
    found = compare(a, b)
    assert found.difference.n == 1
    assert found.left_out == (
        LeftOut("core", "c1", "only e0001 ran it"),
        LeftOut("old", "c0", "old has changed between e0001 and e0002"),
        LeftOut("mine", "c0", "mine was run in e0001 only"),
    )


def test_nothing_in_common() -> None:
    other = eval_run(passes("+", suite="other"), "e0002")
    with pytest.raises(UsageError, match="e0001 and e0002 have no case in common: core was run in e0001 only"):
        compare(eval_run(passes("+")), other)


def test_samples_are_paired_by_case() -> None:
    """Each case counts once, however many samples it has; one with the same share has not changed."""
    a = eval_run([case_run("x", n < 2, sample=n) for n in range(4)] + [case_run("y", True, sample=n) for n in range(4)])
    b = eval_run([case_run("x", n < 1, sample=n) for n in range(2)] + [case_run("y", False, sample=0)], "e0002")
    found = compare(a, b)
    assert (found.difference.a, found.difference.b, found.difference.n) == (0.75, 0.25, 2)
    assert [(change.case, change.a, change.b) for change in found.lost] == [("y", 1.0, 0.0)]
    assert (found.difference.low, found.difference.high) == paired_interval(0.25, 0.25, 1.25, 0.25)
    assert found.difference.p == 1.0


def test_what_subjects_differ_in() -> None:
    a, b = (
        eval_run(passes("+")),
        eval_run(passes("+"), adapter="phase-24", adapter_hash="99", phase=24, temperature=0.7),
    )
    assert room.subject_differences([a, b]) == {
        "adapter": [None, "phase-24"],
        "adapter_hash": [None, "99"],
        "phase": [None, 24],
        "temperature": [0.0, 0.7],
    }
    assert room.subject_differences([a]) == {}
