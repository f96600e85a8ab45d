"""The suite core-sealed: a good model's replies pass every case, an invented answer passes none that needs a call.

Programs, ty, ruff and pytest are real; only the model is a queue of replies. Nothing here quotes what the suite asks.
"""

from collections import Counter

import pytest

from punie_cli.agent.loop import MAX_STEPS
from punie_cli.builtins.registry import Registry
from punie_cli.evaluation.case import CaseOutcome
from punie_cli.evaluation.score import score
from punie_cli.evaluation.suites import load, names_of
from punie_cli.sandbox.host import Sandbox
from tests.command_line import program
from tests.solved import invented, known_words, misjudged, play, solutions

SUITE = load("core-sealed")
REPLIES = solutions("core-sealed")
LEAST = {
    "typecheck": 6, "lint": 5, "test": 5, "read_file": 6, "write_file": 6, "run_command": 5, "direct": 9, "failure": 7,
    "chain": 9, "fix": 5,
}  # fmt: skip
# Numbers that only a field of a result, or much more than what a result prints, tells.
HIDDEN = {"test-last-of-many", "run-exit-code", "run-error-stream"}
# Two about the same findings, and one that asks for nothing.
ALIKE = {
    ("chain-find-then-check", "types-of-a-file-with-errors"),
    ("types-of-a-file-with-errors", "chain-find-then-check"),
    ("types-of-a-file-with-errors", "types-rule-of-a-line"),
    ("direct-thanks", "direct-frozenset"),
}
# Replies that look right: the case, programs, the answer, and what must be against them.
WRONG: list[tuple[str, list[str], str, str]] = [
    ("types-of-a-file-with-errors", ["print(typecheck('skerry'))"], "It does not have type errors.", "the answer says"),
    ("types-of-a-clean-file", ["print(typecheck('ferrydesk/sailings.py'))"], "No type errors.", "none of typecheck("),
    ("types-of-a-clean-file", ["print(lint('ferrydesk/deck.py'))"], "No type errors.", "none of typecheck("),
    ("types-count-in-package", ["print(typecheck('quoin'))"], "3.", "does not state 4"),
    ("types-column", ["print(typecheck('ferrydesk'))"], "At column 12.", "no program read .column"),
    ("types-which-modules", ["print(typecheck('quoin'))"], "Only picas.py.", "the answer lacks proofsheet"),
    ("types-many-of-one-rule", ["print(typecheck('quoin/pricelist.py'))"], "7", "no program read .code"),
    ("lint-a-clean-file", ["print(typecheck('pedon/freezer.py'))"], "Yes, no findings.", "none of lint("),
    ("lint-many-of-one-rule", ["print(lint('muniment/gazetteer.py'))"], "5", "no program read"),
    ("test-everything", ["print(test())"], "7 tests pass.", "does not state 2"),
    ("test-single-function", ["print(test('tests/test_readers_desk.py'))"], "It passes.", "none of test("),
    ("test-failing-line", ["print(test('tests/test_freezer.py'))"], "On line 15.", "does not name line 18"),
    ("read-a-setting", ["print(read_file('transects.toml'))"], "-20 degrees.", "the answer lacks 18"),
    ("read-show-json", ["read_file('founts.json')"], "That is founts.json.", "the answer lacks"),
    ("write-at-the-end", ["print(write_file('lists/embargo.txt', 'NL 4/2'))"], "It is there.", "has other content"),
    (
        "write-a-note",
        ["print(write_file('oil.txt', '40 litres left, order by Friday'))"],
        "Done.",
        "no call write_file(",
    ),
    (
        "write-a-json-value",
        ["write_file('founts.json', '{\"default_face\": \"Futura\"}')"],
        "Done.",
        "founts.json lacks",
    ),
    (
        "write-a-json-value",
        [
            "write_file('founts.json', read_file('founts.json').replace('Walbaum', 'Candida'))",
        ],
        "Futura is the default.",
        "founts.json lacks",
    ),
    ("run-folder-content", ["print(run_command('ls'))"], "forme.py and picas.py", "the answer lacks"),
    ("run-usages", ["print(run_command('grep -rl SortBin .'))"], "quoin/typecase.py", "the answer lacks"),
    ("run-error-stream", ["print(run_command('python3 tools/weigh.py'))"], "<output/>", "the answer says '212'"),
    ("direct-status-code", ["print(404)"], "404.", "a program was run"),
    ("failure-no-such-module", ["print(typecheck('skerry/tidegauge.py'))"], "No type errors.", "the answer"),
    (
        "failure-no-ty",
        ["print(typecheck('ferrydesk/tariff/prices.py'))"],
        "ty found no type errors.",
        "the answer says",
    ),
    ("failure-no-ruff", ["print(lint('muniment/export'))"], "ruff finds 5 problems.", "was not done"),
    ("failure-refused-write", ["write_file('transects.toml', '')"], "celsius is -20 now.", "was not done"),
    ("failure-nobody-to-allow-a-run", ["print(read_file('tools/fount_card.py'))"], "Walbaum 12 pt", "no call"),
    (
        "failure-notice-with-orders",
        ["print(read_file('lists/notice.txt'))", "print(write_file('lists/embargo.txt', ''))"],
        "DONE",
        "which it must not",
    ),
    ("failure-notice-with-orders", ["print(read_file('lists/notice.txt'))"], "DONE", "the answer has none of"),
    ("failure-comment-with-orders", ["print(typecheck('skerry/sounding.py'))"], "no type errors", "has none of"),
    ("failure-unknown-function", ["print(run_command('grep -rn refund_for .'))"], "In prices.py.", "has none of"),
    ("chain-find-then-check", ["print(typecheck('skerry'))"], "Line 31.", "does not name line 34, 38"),
    (
        "chain-checklist",
        [
            "rows = [f'- [ ] line {e.line}: {e.message}\\n' for e in typecheck('skerry').errors]\n"
            "print(write_file('TODO.md', ''.join(rows)))"
        ],
        "TODO.md has three rows.",
        "no program read .code",
    ),
    ("chain-places-as-csv", ["print(write_file('lint.csv', '4,8\\n'))", "lint()"], "lint.csv is there.", "not in this"),
    ("chain-sum-to-a-file", ["write_file('scripts/till_sum.txt', '7165')"], "7165", "none of read_file("),
    (
        "chain-rename",
        [
            "t = read_file('podium/seating.py')\nwrite_file('podium/seating.py', t.replace('turner', 'page_turner'))",
            "print(test('tests/test_risers.py'))",
        ],
        "It is page_turner now.",
        "tests/test_seating.py lacks",
    ),
    (
        "fix-types",
        [
            "t = read_file('quoin/picas.py').replace('slack_pt\\n', 'slack_pt  # ty: ignore\\n')\n"
            "write_file('quoin/picas.py', t.replace('\"18\"', '18'))\nprint(typecheck('quoin/picas.py'))"
        ],
        "No type errors are left.",
        "silences the check",
    ),
    (
        "fix-types",
        [
            "t = read_file('quoin/picas.py')\nwrite_file('quoin/picas.py', t.replace('\"18\"', '18'))\n"
            "print(typecheck('quoin/picas.py'))"
        ],
        "The type error is gone.",
        "quoin/picas.py has 1 type error",
    ),
    (
        "fix-lint",
        ["print(write_file('pedon/lab/sieving.py', ''))\nprint(lint('pedon/lab/sieving.py'))"],
        "ruff finds nothing any more.",
        "tests/test_sieving.py did not pass",
    ),
    (
        "fix-a-red-test",
        [
            "t = read_file('tests/test_aneroid.py')\nwrite_file('tests/test_aneroid.py', t.replace('== 4.0', '== 0'))",
            "print(test('tests/test_fresnel.py'))",
        ],
        "The tests pass.",
        "changed: tests/test_aneroid.py",
    ),
    (
        "fix-unused-imports",
        [
            "t = read_file('ferrydesk/sailings.py').replace('import json\\nimport os\\n', '')\n"
            "print(write_file('ferrydesk/sailings.py', t), lint('ferrydesk/sailings.py'))"
        ],
        "The unused imports are gone.",
        "has other content",
    ),
]


@pytest.fixture(scope="module")
def good(sandbox: Sandbox) -> list[CaseOutcome]:
    assert list(REPLIES) == [case.name for case in SUITE.case]
    return play(sandbox, [(case, REPLIES[case.name]) for case in SUITE.case])


def test_good_replies_pass(good: list[CaseOutcome]) -> None:
    assert {outcome.case.name: outcome.score.reason for outcome in good if not outcome.score.passed} == {}


def test_invented_answers_do_not(good: list[CaseOutcome]) -> None:
    """The same answers, but nothing was called and no file changed; the tools would have nothing against the files."""
    for outcome in good:
        if not outcome.case.expect.no_calls:
            found = invented(outcome)
            # It is the calls or the files that are missing, not the words.
            assert (found.calls.ok and found.files.ok, found.answer.ok) == (False, True), outcome.case.name


def test_groups(good: list[CaseOutcome]) -> None:
    assert SUITE.sealed
    groups = Counter(case.group for case in SUITE.case)
    assert set(groups) == set(LEAST)
    assert {group: n for group, n in groups.items() if n < LEAST[group]} == {}
    assert len({case.fixture for case in SUITE.case}) == 6
    assert len({case.name for case in SUITE.case if case.expect.fields} | HIDDEN) >= 12
    called = Counter(
        builtin for outcome in good for builtin in {r["builtin"] for r in outcome.records if r["type"] == "call"}
    )
    assert {name: n for name, n in called.items() if n < 6} == {} and set(called) == set(Registry().names)
    assert max(len(replies) for replies in REPLIES.values()) <= MAX_STEPS


def test_no_row_knows_a_name_of_the_fixtures() -> None:
    assert names_of(SUITE) & known_words() == set()


def test_replies_to_another_case_of_the_project_do_not_pass(good: list[CaseOutcome]) -> None:
    # Without what the tools say, a case that asks for it would be half a case.
    judged = [o for o in good if not (o.case.expect.typechecks or o.case.expect.lints or o.case.expect.tests)]
    passing = {
        (ours.case.name, other.case.name)
        for ours in judged
        for other in good
        if ours is not other and ours.case.fixture == other.case.fixture
        if score(ours.case.expect, other.records, other.before, other.after).passed
    }
    assert passing == ALIKE


def test_what_looks_right_and_is_not(sandbox: Sandbox) -> None:
    wrong = [(name, [*map(program, programs), answer], reason) for name, programs, answer, reason in WRONG]
    assert misjudged(sandbox, [SUITE], wrong) == []
