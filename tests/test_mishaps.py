"""The faults of small modules: each is what a tool reports, each is mended by its right text."""

import re
import subprocess
import sys
from collections.abc import Iterator
from random import Random

import pytest

from punie_cli.rows import mishaps
from punie_cli.rows.projects import MENDING, make_project

PROJECT = '[project]\nname = "p"\nversion = "0.1"\n\n[tool.ruff.lint]\nextend-select = ["E7"]\n'
Texts = dict[str, str]


def variants() -> Iterator[tuple[str, str]]:
    """Names and texts of modules: `good`, and one for each fault and each mend that does not help."""
    for number, piece in enumerate(mishaps._pieces()):
        filled = mishaps._filled(piece, mishaps._slots(Random(number)))
        good = mishaps._joined("Small.", filled.get("imports", []), "", [filled["code"].strip("\n")])
        yield f"good_{number}", good
        for kind in ("types", "style"):
            for place, (right, *wrongs) in enumerate(filled.get(kind, [])):
                assert good.count(right) == 1
                for turn, wrong in enumerate(wrongs):
                    yield f"{kind}_{number}_{place}_{turn}", good.replace(right, wrong)
        for right, wrong in filled.get("bugs", []):
            assert mishaps._differs(good, good.replace(right, wrong), filled["calls"]), wrong


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Texts, set[str], set[str]]:
    """All modules by name, and the names of those that ty and ruff report."""
    root = tmp_path_factory.mktemp("mishaps")
    (root / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    texts = dict(variants())
    for name, text in texts.items():
        (root / f"{name}.py").write_text(text, encoding="utf-8")
    reported = []
    for command in (["ty", "check", "--output-format", "concise"],
                    ["ruff", "check", "--no-cache", "--output-format", "concise"]):  # fmt: skip
        shown = subprocess.run([sys.executable, "-m", *command], cwd=root, capture_output=True, text=True, check=False)
        reported.append(set(re.findall(r"^(\w+)\.py:", shown.stdout, re.MULTILINE)))
    return texts, reported[0], reported[1]


def test_the_right_texts_are_clean(found: tuple[Texts, set[str], set[str]]) -> None:
    texts, types, style = found
    good = {name for name in texts if name.startswith("good")}
    assert len(good) >= 35
    assert good & (types | style) == set()


def test_every_fault_is_reported_and_a_mend_that_does_not_help_too(found: tuple[Texts, set[str], set[str]]) -> None:
    texts, types, style = found
    assert {name for name in texts if name.startswith("types")} - types == set()
    assert {name for name in texts if name.startswith("style")} - style == set()


def test_a_project_has_its_faults_once_and_is_the_same_again() -> None:
    kinds = set()
    for seed in range(MENDING, MENDING + 80):
        project = make_project(seed)
        made = mishaps.mishaps(project)
        kinds.add(made.kind)
        assert made.project.files == project.files
        assert (made.kind in ("clean", "renamed")) == (not made.slips)
        for slip in made.slips:
            assert project.files[slip.file].count(slip.wrong.strip() if slip.right else slip.wrong) == 1
    assert len(kinds) >= 10
