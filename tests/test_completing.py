"""Fuzzy search, the files of a project, `@path` in messages, pasted text: the parts of the prompt that need none."""

import asyncio
import os
import re
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from punie_cli.chat import files as files_module
from punie_cli.chat.files import ProjectFiles, list_project
from punie_cli.chat.fuzzy import Query, search, search_in_turns
from punie_cli.chat.mentions import mention, plain, typed
from punie_cli.chat.paste import Pastes, clean

_PATHS = st.lists(st.text("abAß./_-[^", min_size=1, max_size=8), max_size=30)
_QUERIES = st.text("abAß./_-[^", max_size=4)


def fits(query: str, path: str) -> bool:
    letters = iter(path.casefold())
    return all(letter in letters for letter in query.casefold().removeprefix("./"))


@settings(max_examples=40)
@given(_QUERIES, _PATHS)
def test_what_has_the_letters_is_found_and_nothing_else(query: str, paths: list[str]) -> None:
    assert sorted(search(query, paths)) == sorted(path for path in paths if fits(query, path))


@settings(max_examples=40)
@given(_QUERIES, _PATHS, st.integers(1, 5))
def test_the_best_are_the_same_in_any_order_and_in_turns(query: str, paths: list[str], limit: int) -> None:
    whole = search(query, paths)
    assert search(query, reversed(paths), limit) == whole[:limit]
    assert asyncio.run(search_in_turns(query, paths * 50, limit)) == search(query, paths * 50, limit)


@settings(max_examples=40)
@given(_QUERIES.filter(lambda query: "/" not in query), st.text("ab", max_size=3), st.text("ab", max_size=3))
def test_the_start_of_a_name_goes_before_its_middle_and_that_before_folders(query: str, a: str, b: str) -> None:
    assume(query.removeprefix("./"))
    start, middle, folder = f"{a}/{query}{b}", f"{b}/x{query}", f"{query}{a}/y{b}"
    assume("y" not in query and not fits(query, "y" + b))
    assert search(query, [folder, middle, start]) == [start, middle, folder]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("mod", ["models/", "src/models.py", "src/commode.py", "my_order.py", "models/a.py"]),
        ("MODELS", ["models/", "src/models.py", "models/a.py"]),
        ("src/", ["src/", "src/models.py", "src/commode.py"]),
        ("s/mo", ["src/models.py", "src/commode.py"]),
        ("./src/m", ["src/models.py", "src/commode.py"]),
        ("", ["models/", "my_order.py", "src/", "models/a.py", "src/commode.py", "src/models.py"]),
        ("../", []),
    ],
)
def test_what_people_look_for(query: str, found: list[str]) -> None:
    paths = ["src/", "src/models.py", "src/commode.py", "models/", "models/a.py", "my_order.py"]
    assert search(query, paths) == found


def test_other_work_has_its_turn_in_a_search_through_many_paths() -> None:
    paths = [f"package{n % 50}/module{n % 7}/file_{n}_name.py" for n in range(20_000)]

    async def turns() -> int:
        task, count = asyncio.create_task(search_in_turns("file", paths)), 0
        while not task.done():
            await asyncio.sleep(0)
            count += 1
        return count

    # 500 paths at once take less than a millisecond.
    assert asyncio.run(turns()) >= 40


def test_a_name_made_to_be_slow_is_not() -> None:
    before = time.process_time()
    assert Query("a" * 30 + "b").rank("a" * 1000) is None
    assert time.process_time() - before < 0.1


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose ignore files say something at two levels."""
    for name in (
        "a.py", "b.log", "src/keep.log", "src/deep/c.log", "src/deep/d.py", "build/out.py", "src/build/in.py",
        ".venv/x.py", "env/pyvenv.cfg", "env/y.py", "two words.py", 'say"so.py', "esc\x1b[31m.py", "ü/é.py",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("*.log\n/build/\n!\n.venv\nenv/\n")
    (tmp_path / "src/.gitignore").write_text("!keep.log\n")
    (tmp_path / "link").symlink_to("src")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


LISTED = (
    ".gitignore", "a.py", "link", "src/", "src/.gitignore", "src/build/", "src/build/in.py", "src/deep/",
    "src/deep/d.py", "src/keep.log", "two words.py", "ü/", "ü/é.py",
)  # fmt: skip


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def test_files_without_git(project: Path) -> None:
    assert list_project(project) == LISTED


def test_files_of_a_repository(project: Path) -> None:
    git(project, "init")
    assert list_project(project) == LISTED
    (project / "b.log").write_text("tracked all the same")
    git(project, "add", "-f", "b.log", "a.py")
    (project / "a.py").unlink()
    assert set(list_project(project)) == {*LISTED, "b.log"} - {"a.py"}
    assert list_project(project / "src") == (
        ".gitignore", "build/", "build/in.py", "deep/", "deep/d.py", "keep.log",
    )  # fmt: skip


def test_a_folder_that_the_repository_around_it_ignores(project: Path) -> None:
    git(project, "init")
    assert list_project(project / "build") == ("out.py",)


def test_a_repository_inside_is_a_folder(project: Path) -> None:
    git(project, "init")
    git(project, "init", "inner")
    (project / "inner" / "a.py").touch()
    assert set(list_project(project)) - set(LISTED) == {"inner/"}


def test_files_where_git_is_missing_or_belongs_to_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "git").write_text("#!/bin/sh\ntouch ran\n")
    (project / "git").chmod(0o755)
    for path in ("/nowhere", str(project)):
        monkeypatch.setenv("PATH", path)
        assert set(list_project(project)) == {*LISTED, "git"}
    assert not (project / "ran").exists()


def test_a_repository_cannot_make_git_run_something(project: Path) -> None:
    git(project, "init")
    (project / "hook").write_text(f"#!/bin/sh\ntouch {project}/ran\n")
    (project / "hook").chmod(0o755)
    git(project, "config", "core.fsmonitor", str(project / "hook"))
    assert "a.py" in list_project(project)
    assert not (project / "ran").exists()


@pytest.mark.parametrize("with_git", [True, False])
def test_no_more_than_the_limit(with_git: bool, project: Path) -> None:
    if with_git:
        git(project, "init")
    assert 0 < len(list_project(project, 4)) <= 4


async def test_the_list_is_made_once_and_again_when_it_is_old(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = ProjectFiles(project)
    assert (found.entries, await found.ready(60)) == ((), LISTED)
    (project / "new.py").touch()
    assert "new.py" not in await found.ready()
    monkeypatch.setattr(files_module, "REFRESH_S", 0.0)
    found.refresh()
    while "new.py" not in found.entries:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    assert await ProjectFiles(tmp_path / "gone").ready(60) == ()


@pytest.mark.parametrize(
    ("before", "path"),
    [
        ("@", ""),
        ("look at @src/m", "src/m"),
        ("first\n(@a", "a"),
        ('see @"two wo', '"two wo'),
        ("see @a.py ", None),
        ('see @"a b" ', None),
        ("me@example.org", None),
        ("a@", None),
        ("@a@b", None),
        ("", None),
    ],
)
def test_what_is_a_path_while_it_is_typed(before: str, path: str | None) -> None:
    assert typed(before) == path


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("typecheck @src/", "typecheck src/"),
        ("@a.py, @src/deep/d.py: and (@link).", "a.py, src/deep/d.py: and (link)."),
        ("line @a.py:12, @a.py:3-4 and @a.py's end", "line a.py:12, a.py:3-4 and a.py's end"),
        ('@"two words.py" and @two', '"two words.py" and @two'),
        ("@./src/../a.py", "a.py"),
        ("@../", "@../"),
        ("@../outside.py @/etc/passwd @~", "@../outside.py @/etc/passwd @~"),
        ("me@a.py x@src/ a@@a.py", "me@a.py x@src/ a@@a.py"),
        ("@property @a.p @ @... @gone.py", "@property @a.p @ @... @gone.py"),
        ("@src\ndef f(): ...", "@src\ndef f(): ..."),
        ("    @src(1)\n    @link\n    async def f(): ...", "    @src(1)\n    @link\n    async def f(): ..."),
        ("@src\nand more", "src\nand more"),
        ("`@a.py`", "`a.py`"),
        ("@" + "x" * 5000, "@" + "x" * 5000),
    ],
)
def test_what_is_sent_for_a_path(text: str, sent: str, project: Path) -> None:
    assert plain(text, project) == sent


_NAMES = st.text(st.characters(exclude_characters='/"\\~', exclude_categories=("C", "Z")) | st.just(" "), min_size=1)


@settings(max_examples=40)
@given(name=_NAMES.filter(lambda name: name.strip(". ") and len(os.fsencode(name)) < 200))
def test_what_completion_writes_is_read_as_that_path(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("names")
    (root / name).touch()
    sent = plain(f"see {mention(name)} there", root)
    assert sent in (f"see {name} there", f'see "{name}" there')


_PIECES = st.lists(st.text("ab\n\t ü[]#+1", max_size=5) | st.just("[Pasted text #1 +42 lines]"), max_size=3)


@settings(max_examples=40)
@given(st.lists(st.text("a\r\nü", max_size=40) | st.just("line\n" * 42) | st.just("x" * 1001), max_size=4), _PIECES)
def test_what_was_folded_comes_back(pasted: list[str], words: list[str]) -> None:
    pastes = Pastes()
    text = "".join(pastes.fold(data) for data in pasted)
    assert len(text) <= 1000 * len(pasted)
    assert pastes.expand(text) == "".join(clean(data) for data in pasted)


def test_what_is_folded() -> None:
    pastes = Pastes()
    assert pastes.fold("x\n" * 15) == "x\n" * 15
    assert pastes.fold("x\n" * 42) == "[Pasted text #1 +42 lines]"
    assert pastes.fold("x" * 1001) == "[Pasted text #2 +1 line]"
    # The text of a word is not looked at again, and a word that stands for nothing stays.
    assert pastes.fold("[Pasted text #1 +42 lines]\n" * 16) == "[Pasted text #3 +16 lines]"
    assert pastes.expand("[Pasted text #3 +16 lines]") == "[Pasted text #1 +42 lines]\n" * 16
    for word in ("[Pasted text #1 +41 lines]", "[Pasted text #9 +42 lines]", "[Pasted text #0 +1 line]"):
        assert pastes.expand(word) == word


def test_the_word_at_the_cursor() -> None:
    pastes = Pastes()
    first, second = pastes.fold("a\n" * 20), pastes.fold("b\n" * 20)
    text = f"{first} and {second}"
    assert pastes.at(text, 3) == (0, len(first), "a\n" * 20)
    assert pastes.at(text, len(text)) == (len(first) + 5, len(text), "b\n" * 20)
    assert pastes.at(text, len(first) + 2) == (len(first) + 5, len(text), "b\n" * 20)
    assert pastes.at("none", 0) is None


@settings(max_examples=40)
@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", cleaned)


def test_sequences_go_whole() -> None:
    assert clean("\x1b[31mred\x1b[0m\r\nnext\rthird\x1b]0;title\x07\ttab\x00\x9b2J") == "red\nnext\nthird\ttab"
