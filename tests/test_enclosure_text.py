"""What is decided about enclosed commands before anything runs: plans, needs, profiles, explanations."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.enclosure import landlock, seatbelt, watch
from punie_cli.enclosure.bubblewrap import bwrap_argv
from punie_cli.enclosure.enclosure import Enclosure, Terms
from punie_cli.enclosure.explain import GIT, NO_NETWORK, PLACES, explanation
from punie_cli.enclosure.level import NONE, Level
from punie_cli.enclosure.needs import needs_network, writes_git
from punie_cli.enclosure.places import Kind, Plan, make_plan


@pytest.mark.parametrize(
    ("command", "network"),
    [
        ("pip install x", True), ("pip list", False), ("python -m pip install x", True),
        ("python3.12 -m pip -q", False),
        (".venv/bin/pip3 install x", True), ("python -m pytest", False), ("uv add x", True), ("uv run pytest", False),
        ("git push", True), ("git status", False), ("git -C sub fetch", True), ("curl https://a.b", True),
        ("cd a && npm ci", True), ("echo pip install", False), ("make; wget x", True), ("X=1 curl a", True),
        ("echo \"$(curl a)\"", True), (["sh", "-c", "a | curl b"], True), (["curl"], True), ([], False), ("'", False),
    ],
)  # fmt: skip
def test_what_needs_the_network(command: str | list[str], network: bool) -> None:
    assert needs_network(command) is network


@pytest.mark.parametrize(
    ("command", "writes"),
    [
        ("git commit -m x", True), (["git", "add", "."], True), ("/usr/bin/git tag v1", True), ("git log", False),
        ("git -c core.hooksPath=x commit", False), ("git config a b", False), ("git commit; make", False),
        ("make", False), ([], False), (["sh", "-c", "git commit"], False), ("git", False),
    ],
)  # fmt: skip
def test_what_writes_git(command: str | list[str], writes: bool) -> None:
    assert writes_git(command) is writes


@pytest.mark.parametrize(
    ("output", "network", "reason"),
    [
        ("curl: (6) Could not resolve host: a.b", False, NO_NETWORK),
        ("curl: (6) Could not resolve host: a.b", True, None),
        ("OSError: [Errno 101] Network is unreachable", False, NO_NETWORK),
        ("PermissionError: [Errno 1] Operation not permitted\n  socket.socket()", False, NO_NETWORK),
        ("touch: cannot touch '/usr/x': Read-only file system", False, PLACES),
        ("cat: /home/a/.ssh/id: Permission denied", True, PLACES),
        ("fatal: Unable to create '/a/.git/index.lock': Read-only file system", False, GIT),
        ("AssertionError: 1 != 2", False, None),
        ("", False, None),
    ],
)
def test_explanations(output: str, network: bool, reason: str | None) -> None:
    assert explanation(output, network=network) == reason


def test_terms() -> None:
    full = Enclosure(Level("bubblewrap", frozenset({"write", "read", "git", "network", "processes"})))
    assert full.terms("make") == Terms()
    assert full.terms() == Terms()
    assert full.terms("git push") == Terms("network", True, True, " (with network and .git can be written)")
    assert Enclosure(NONE, open=True).terms("git push") == Terms(words=" (not enclosed)")
    assert Enclosure(NONE).terms("ls") == Terms("outside", words=" (not enclosed: this machine cannot)")


def test_a_level_says_what_is_missing() -> None:
    level = Level("landlock", frozenset({"write", "read", "network", "processes"}))
    assert level.missing == ".git can be written"
    assert level.text == (
        "landlock: nothing is written outside the project and a temporary folder, keys and settings in the home are "
        "not read, no network, nothing is left running"
    )
    told: list[str] = []
    enclosure = Enclosure(level, told.append)
    enclosure.tell_level()
    enclosure.tell_level()
    assert told == [f".git can be written ({level.hint})"]


PLAN = Plan(
    "/home/a/p", "/t", (("/t", "write"), ("/home/a/.ssh", "hide"), ("/home/a/p", "write"), ("/home/a/p/.git", "read"))
)


def test_a_plan_of_a_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, punie_home: Path) -> None:
    home = tmp_path / "home"
    for name in (".ssh", ".config/app", "p/.git/hooks", "p/sub/.git", "p/src"):
        (home / name).mkdir(parents=True)
    (home / ".netrc").touch()
    (home / "p" / ".git" / "config").touch()
    monkeypatch.setenv("HOME", str(home))
    tmp = tmp_path / "t"
    tmp.mkdir()
    plan = make_plan(home / "p", tmp)
    kinds = {name: plan.kind(str(home / name)) for name in (".ssh/id", ".netrc", ".config/x", "notes", "p", "p/src/a")}
    assert kinds == {
        ".ssh/id": "hide", ".netrc": "hide", ".config/x": "hide", "notes": "read", "p": "write", "p/src/a": "write",
    }  # fmt: skip
    assert [plan.kind(str(home / "p" / name)) for name in (".git/x", "sub/.git/x", "sub/x")] == [
        "read",
        "read",
        "write",
    ]
    open_git = make_plan(home / "p", tmp, git=True)
    assert [open_git.kind(str(home / "p" / ".git" / name)) for name in ("index", "config", "hooks/a")] == [
        "write", "read", "read",
    ]  # fmt: skip
    # A project in a hidden place, and a home as a project.
    assert make_plan(home / ".config" / "app", tmp).kind(str(home / ".config" / "app" / "a")) == "write"
    whole = make_plan(home, tmp)
    assert [whole.kind(str(home / name)) for name in ("notes", ".ssh/id")] == ["write", "hide"]


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(st.dictionaries(NAMES, st.sampled_from(["hide", "read", "write"]), max_size=5), NAMES)
def test_landlock_grants_what_a_plan_says(rules: dict[str, Kind], path: str) -> None:
    ordered = tuple(sorted(rules.items(), key=lambda rule: (rule[0].count("/"), rule[0])))
    plan = Plan("/", "/", ordered)
    found = landlock.grants([(kind[0], place) for place, kind in ordered], entries=lambda folder: ["a", "b", "c"])
    rights = [right for place, right in found if path == place or path.startswith(f"{place.rstrip('/')}/")]
    writes, reads = (any(right & bit for right in rights) for bit in (2, 4))
    above = {kind for place, kind in ordered if path == place or path.startswith(f"{place}/")}
    kind = plan.kind(path)
    # A folder on the way to another rule is granted entry by entry, not itself.
    inside = any(place.startswith(f"{path}/") for place in rules)
    assert writes == (kind == "write") or inside or (kind == "read" and "write" in above)
    assert reads == (kind != "hide") or (inside and not reads)


def test_a_profile_of_seatbelt() -> None:
    text = seatbelt.profile(PLAN)
    assert text.startswith("(version 1)\n(allow default)\n(deny file-write*)\n")
    rules = [line for line in text.splitlines() if "/home" in line or '"/t"' in line]
    assert rules == [
        '(allow file-read* file-write* (literal "/t"))',
        '(deny file-read* file-write* (literal "/home/a/.ssh"))',
        '(allow file-read* file-write* (literal "/home/a/p"))',
        '(allow file-read* (literal "/home/a/p/.git"))',
        '(deny file-write* (literal "/home/a/p/.git"))',
    ]
    assert "(deny network*)" in text
    assert "(deny network*)" not in seatbelt.profile(Plan("/a", "/t", (), network=True))
    assert seatbelt.quoted('a"b\\c') == '"a\\"b\\\\c"'


def test_the_words_of_bubblewrap() -> None:
    words = bwrap_argv("/usr/bin/bwrap", PLAN, ["/bin/x", "--", "-a"])
    assert words[:2] == ["/usr/bin/bwrap", "--die-with-parent"]
    assert "--unshare-net" in words
    assert "--unshare-net" not in bwrap_argv("bwrap", Plan("/a", "/t", (), network=True), ["/bin/x"])
    start = words.index("--proc")
    assert words[start + 2 :] == [
        "--bind", "/t", "/t", "--ro-bind", "/dev/null", "/home/a/.ssh", "--bind", "/home/a/p", "/home/a/p",
        "--ro-bind", "/home/a/p/.git", "/home/a/p/.git", "--chdir", "/home/a/p", "--", "/bin/x", "--", "-a",
    ]  # fmt: skip


def test_what_git_acts_on_is_watched(tmp_path: Path) -> None:
    nothing = watch.state(tmp_path)
    (tmp_path / ".git" / "hooks").mkdir(parents=True)
    (tmp_path / ".git" / "config").write_text("a")
    (tmp_path / "src").mkdir()
    before = watch.state(tmp_path)
    assert watch.changes(nothing, before) == [".git/config", ".git/hooks"]
    (tmp_path / ".git" / "index").write_text("a")
    (tmp_path / "src" / "a.py").write_text("a")
    assert watch.changes(before, watch.state(tmp_path)) == []
    (tmp_path / ".git" / "hooks" / "pre-commit").write_text("a")
    assert watch.changes(before, watch.state(tmp_path)) == [".git/hooks/pre-commit"]
