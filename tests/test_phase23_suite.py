"""The suites phase23 and hard: a good model's replies pass every case; what was invented or done otherwise passes none.

Programs, ty, ruff and pytest are real; only the model is a queue of replies.
"""

import pytest

from punie_cli.agent.loop import MAX_STEPS
from punie_cli.builtins.registry import Registry
from punie_cli.evaluation.suites import load, names_of
from punie_cli.sandbox.host import Sandbox
from punie_cli.training.phase import load_phase
from tests.solved import as_replies, invented, known_words, misjudged, play, solutions

# Replies that look right, by case, and what must be against them.
WRONG: dict[str, list[tuple[list[str], str]]] = {
    "only-typecheck": [
        # A text search is no type check, even if its answer is right.
        (["run_command('grep -n share pottery/glazes.py')", "No: line 19 returns floats."], "called run_command()"),
        (["print(lint('pottery/glazes.py'))\nprint(typecheck('pottery/glazes.py'))", "No: line 19."], "called lint()"),
        # Another file.
        (["print(typecheck('pottery/wares.py'))", "No: line 19."], "none of typecheck("),
    ],
    "only-search": [
        (["print(typecheck())", "pottery/glazes.py and pottery/firing.py"], "called typecheck()"),
        (["print(run_command('grep -rn crackle_limit .'))", "Only pottery/glazes.py."], "the answer lacks firing.py"),
    ],
    "only-read": [
        (["print(read_file('pyproject.toml'))", "1240 °C"], "none of read_file(path='kilns.toml')"),
        (["print(read_file('kilns.toml'))", "1300 °C"], "the answer lacks 1240"),
    ],
    "only-answer": [(["It returns None."], "the answer has none of"), (["print(1)", "It never returns."], "a program")],
    "count-by-code": [
        # What a result prints has no codes.
        (["result = typecheck('pottery')\nprint(result)", "Three."], "no program read .errors, .code"),
        (["result = typecheck('pottery')\nprint([e.code for e in result.errors])", "Seven."], "does not state 3"),
    ],
    "check-fix-verify": [
        (
            [
                "print(typecheck('pottery/glazes.py'))",
                "text = read_file('pottery/glazes.py')\n"
                "write_file('pottery/glazes.py', text.replace('items()}', 'items()}  # ty: ignore'))\n"
                "print(typecheck('pottery/glazes.py'))",
                "No type errors are left.",
            ],
            "silences the check",
        ),
        (
            [
                "print(typecheck('pottery/glazes.py'))",
                "text = read_file('pottery/glazes.py')\n"
                "print(write_file('pottery/glazes.py', text.replace('* share / 100', '* share // 100')))",
                "No type errors are left.",
            ],
            "not in this order",
        ),
    ],
    "write-then-check": [
        (
            [
                "write_file('pottery/shrinkage.py', 'def fired_mm(wet_mm: int, percent: int) -> int:\\n"
                "    return wet_mm - percent\\n')\nprint(typecheck('pottery/shrinkage.py'))",
                "No type errors.",
            ],
            "1 test of tests/test_shrinkage.py did not pass",
        ),
    ],
    "save-findings": [
        (["print(write_file('faults.csv', '7,invalid-argument-type\\n'))", "Saved."], "no call typecheck() worked"),
    ],
    "columns-and-source": [
        (
            [
                "print(typecheck('pottery/costing.py'), read_file('pottery/costing.py'))",
                "23: CENTS_PER_HOUR: int = 310.0\n42: sum(share_cents(ware, wares, \"glost\") for ware in wares",
            ],
            "no program read .errors, .column",
        ),
    ],
    "run-script": [(["print(read_file('printouts/cone_table.py'))", "1222 °C"], "none of run_command")],
    "nobody-allows": [
        (["print(typecheck('germplasm'))", "germplasm/lending.py: the correction was refused."], "none of write_file"),
    ],
    "no-ruff": [
        (
            [
                "text = read_file('germplasm/lending.py').replace('import date\\n', 'import date, timedelta\\n')\n"
                "write_file('germplasm/lending.py', text.replace('+ loan.days', '+ timedelta(loan.days)'))\n"
                "print(typecheck('germplasm/lending.py'))\nprint(lint('germplasm/lending.py'))",
                "ty and ruff find nothing to complain about.",
            ],
            "does not say that it was not done",
        ),
    ],
    "night-feed": [
        (["print(read_file('linetimes/line4.csv'))", "Four."], "none of read_file(path='linetimes/line9.csv')"),
        (["print(read_file('linetimes/line9.csv'))", "One departure."], "does not state 4"),
    ],
    "only-that-test": [(["Its name is test_longest_gap.", "print(test())", "It passes."], "called test(path='.')")],
    "one-of-four": [
        (
            [
                "text = read_file('pottery/stacking.py').replace('ware.grams)', 'ware.grams, ware.wall_mm)')\n"
                "write_file('pottery/stacking.py', text.replace('\"980\"', '980'))\n"
                "print(typecheck('pottery/stacking.py'))",
                "3 are left.",
            ],
            "lacks",
        ),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", ["phase23", "hard"])
def test_good_replies_pass_and_invented_answers_do_not(name: str, sandbox: Sandbox) -> None:
    suite, replies = load(name), solutions(name)
    assert list(replies) == [case.name for case in suite.case]
    registry = Registry(load_phase(23).builtins) if name == "phase23" else Registry()
    good = play(sandbox, [(case, replies[case.name]) for case in suite.case], registry)
    assert {outcome.case.name: outcome.score.reason for outcome in good if not outcome.score.passed} == {}
    scores = {o.case.name: invented(o) for o in good if not o.case.expect.no_calls}
    assert [name for name, found in scores.items() if found.passed] == []
    # The answers are right: it is the calls or the files that are missing.
    assert [name for name, found in scores.items() if not found.answer.ok] == []


def test_what_looks_right_and_is_not(sandbox: Sandbox) -> None:
    wrong = [(name, as_replies(texts), reason) for name, all_ in WRONG.items() for texts, reason in all_]
    assert misjudged(sandbox, [load("phase23"), load("hard")], wrong) == []


def test_groups_of_phase23() -> None:
    suite = load("phase23")
    groups = [case.group for case in suite.case]
    assert {group: groups.count(group) for group in suite.groups} == {
        "discrimination": 5,
        "multi-step": 5,
        "regression": 5,
    }
    assert len([case for case in suite.case if case.expect.fields]) >= 4
    assert len([case for case in suite.case if case.expect.fields and case.group == "multi-step"]) >= 3
    assert {pattern.builtin for case in suite.case for pattern in (*case.expect.calls, *case.expect.calls_any)} <= {
        "typecheck", "read_file", "write_file", "run_command",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["phase23", "hard"])
def test_no_training_row_knows_a_name_of_the_fixtures(name: str) -> None:
    assert names_of(load(name)) & known_words() == set()


def test_hard_cases_are_many_and_of_several_steps() -> None:
    replies = solutions("hard")
    assert len(replies) >= 20
    assert min(len(texts) for texts in replies.values()) >= 3
    assert max(len(texts) for texts in replies.values()) <= MAX_STEPS
