"""Tests that `failing` adds to generated projects: they stand alone, and end as their kinds say."""

from random import Random
from unittest import SkipTest

import pytest

from punie_cli.rows.failing import add_failing
from punie_cli.rows.project import Project
from punie_cli.rows.projects import FAILING, make_project


def endings(text: str) -> list[str]:
    """The name of the exception of each test of a file, empty for one that passes; of the import, if that fails."""
    names: dict[str, object] = {}
    try:
        exec(text, names)
    except ImportError as problem:
        return [type(problem).__name__]
    ends = []
    for test in [value for name, value in names.items() if name.startswith("test_") and callable(value)]:
        try:
            test()
        except (Exception, SkipTest) as problem:
            ends.append(type(problem).__name__)
        else:
            ends.append("")
    return ends


def test_every_kind_of_ending_comes_up_and_no_other() -> None:
    found: set[str] = set()
    untouched = 0
    for seed in range(150):
        project = Project("p", "p", {})
        add_failing(project, Random(seed))
        untouched += not project.files
        for path, text in project.files.items():
            assert path.startswith("tests/test_") and path.endswith(".py")
            found.update(endings(text))
    kinds = {"ValueError", "KeyError", "IndexError", "ZeroDivisionError", "RuntimeError"}
    assert found == kinds | {"", "SkipTest", "ModuleNotFoundError"}
    assert 15 <= untouched <= 60


@pytest.mark.parametrize("seed", range(FAILING, FAILING + 20))
def test_a_project_of_a_seed_is_always_the_same(seed: int) -> None:
    assert make_project(seed).files == make_project(seed).files
