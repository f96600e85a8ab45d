"""run_command: what runs without asking, how questions are put, what comes back."""

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli import readonly
from punie_cli.builtins.registry import Outcome, Registry
from punie_cli.workspace import Decision, Question, Workspace, no_terminal

registry = Registry()
ANY_COMMAND = no_terminal(frozenset({"run"}))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with source, a secret, a repository folder and a link that leads out."""
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "src" / "app.py").write_text("import os\ntoken = 1\n")
    (root / "notes.txt").write_text("one\ntwo\nthree\n")
    (root / ".env").write_text("token=abc\n")
    (root / "src" / "Site.PEM").write_text("token\n")
    (root / ".git" / "config").write_text("token\n")
    (root / "out").symlink_to(tmp_path)
    (tmp_path / "outside.txt").write_text("token\n")
    return root


async def call(root: Path, approver: Any = None, **args: Any) -> Outcome:
    return await registry.call("run_command", args, Workspace(root, approver))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("ls -la src", ["ls", "-la", "src"]),
        ("  ls\t src ", ["ls", "src"]),
        ("grep -n 'def f(' \"a b\".py", ["grep", "-n", "def f(", "a b.py"]),
        ("echo '' \"\" a'b'\"c\"", ["echo", "", "", "abc"]),
        ("grep 'a|b*$' x", ["grep", "a|b*$", "x"]),
        ('grep "it\'s" x', ["grep", "it's", "x"]),
        ("echo a=b", ["echo", "a=b"]),
        ("échö ü", ["échö", "ü"]),
    ],
)
def test_split(command: str, words: list[str]) -> None:
    assert readonly.split(command) == words


@pytest.mark.parametrize(
    "command",
    [
        "ls; rm x", "ls && x", "ls | wc", "ls > x", "cat < x", "echo $HOME", "echo `id`", "(ls)",
        "{ ls; }", "ls *", "ls ?", "ls [a]", "cat ~/x", "echo hi # no", "! ls", "echo a\\ b", "ls\nrm x",
        "ls\r", "A=1 ls", "A+=1 ls", 'echo "$HOME"', 'echo "`id`"', 'echo "a\\b"', "ls\u00a0x",
        "ls \u202e", "echo 'a\nb'", "ls &",
    ],
)  # fmt: skip
def test_shell_syntax_is_a_script(command: str) -> None:
    assert readonly.split(command) is None


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "the command is empty"),
        ("  ", "the command is empty"),
        ("echo 'a", "the command has an open ' quote"),
        ('echo "a', 'the command has an open " quote'),
        ("a\0b", "the command has a NUL character"),
        ([], "the command is empty"),
        ([""], "the command is empty"),
        (["ls", "a\0"], "the command has a NUL character"),
    ],
)
async def test_what_is_no_command(root: Path, command: str | list[str], message: str) -> None:
    assert (await call(root, command=command)).error == {"kind": "ValueError", "message": message}


SHELL_WORDS = st.text(st.sampled_from("ab-='\"\t .,:%^@+é|$\\"), min_size=1, max_size=14)
SHELL_TEXT = st.text(st.sampled_from("ab -='\"\t;&|<>$`(){}*?[]~#!\\\n/.,:%^@+é"), min_size=1, max_size=14)


@given(SHELL_WORDS)
def test_split_agrees_with_the_shell(text: str) -> None:
    try:
        words = readonly.split(f"echo {text}")
    except ValueError:
        return
    if words is None or len(words) == 1:
        return
    done = subprocess.run(
        ["/bin/sh", "-c", f"printf '%s\\0' {text}"],
        capture_output=True,
        check=True,
        env={"PATH": "/bin:/usr/bin"},
    )
    # printf repeats its format for each word.
    assert done.stdout.decode() == "".join(f"{word}\0" for word in words[1:])


@given(name=st.sampled_from(["ls", "cat", "grep", "echo", "find"]), text=SHELL_TEXT)
def test_no_unquoted_shell_syntax_runs_unasked(tmp_path_factory: pytest.TempPathFactory, name: str, text: str) -> None:
    try:
        words = readonly.split(f"{name} {text}")
    except ValueError:
        return
    if words is not None:
        # What is left of the text without its quoted parts has no shell syntax.
        lexer = shlex.shlex(text, posix=False, punctuation_chars="")
        lexer.whitespace_split, lexer.commenters = True, ""
        bare = "".join(token for token in lexer if not set(token) & set("'\""))
        assert not set(bare) & set(";&|<>$`(){}*?[]~#!\\\n")


QUIET = [
    "ls", "ls -la", "ls -R src", "ls notes.txt missing.txt", "cat notes.txt", "cat -n src/app.py",
    "head -5 notes.txt", "head -n 5 notes.txt", "tail -n +2 notes.txt", "tail -3 notes.txt",
    "wc -l notes.txt", "grep -n token src/app.py", "grep -A3 -e token src/app.py", "grep 'a|b' notes.txt",
    "grep -c /api notes.txt", "sed -n 1,2p notes.txt", "sed -n '2,$p' notes.txt",
    "find . -name '*.py' -type f", "find src -maxdepth 2", "pwd", "whoami", "uname -a", "echo hello",
    "true", "which python3", "uniq -c notes.txt", "cut -d , -f 1 notes.txt", "stat notes.txt", "tree -L 2",
    "nl notes.txt", "ls .git", "cat .git/HEAD", "grep -m1 token -- notes.txt", "ls out/project",
]  # fmt: skip


@pytest.mark.parametrize("command", QUIET)
def test_reading_runs_unasked(root: Path, command: str) -> None:
    words = readonly.split(command)
    assert words is not None
    assert readonly.allowed(words, Workspace(root)) == words


ASKS = [
    # outside, or a secret
    "cat /etc/passwd", "cat ../outside.txt", "cat out/outside.txt", "ls /", "ls ..", "ls out",
    "grep root /etc/passwd", "grep -r token out", "grep -e a /etc/passwd", "head -5 /etc/passwd",
    "find / -name x", "find .. -name x", "cat .env", "cat src/Site.PEM", "cat .git/config",
    "grep token .env", "grep -rn token .git", "rg token .git", "head src/../.env", "sed -n 1p .env",
    "tail -n 3 .ENV", "wc -l -- .env", "stat -c %s /etc/passwd",
    # an option that takes a value in one system and none in another must not hide a path
    "cut -d /etc/passwd", "stat -f /etc/passwd", "head -n /etc/passwd", "grep -C /etc/passwd x",
    "grep -m.env x", "grep x notes.txt -e /etc/passwd", "ls -I /etc/passwd", "tree -P /etc/passwd", "nl -b /etc/passwd",
    # options that write, execute, follow links or do not end
    "find . -delete", "find . -exec rm '{}' +", "find . -execdir id '+'", "find . -ok rm x",
    "find . -fprint x", "find . -fls x", "find -L .", "find . -newer /etc/passwd", "find . -name",
    "find -name y x", "find . -follow", "sed -n 1w/tmp/x", "sed -n 1e", "sed -i s/a/b/ notes.txt",
    "sed -n -e 1p notes.txt", "sed 1p notes.txt", "sed -n", "sed -n '1p;e' notes.txt", "sed -nf x",
    "tail -f notes.txt", "tail --follow notes.txt", "uniq notes.txt new.txt", "tree -o x", "tree -l",
    "grep -R token .", "grep -f .env notes.txt", "grep --file=.env notes.txt", "grep", "rg --pre sh x",
    "rg --pre=sh x", "rg --hostname-bin x", "rg -L x", "rg -z x", "rg --follow x", "rg",
    "wc --files0-from=/etc/passwd", "ls --color=auto", "cat --help", "grep --include", "head -n", "cut -f",
    # not in the list
    "git status", "git log", "rm notes.txt", "python -c 1", "pytest", "touch x", "cp a b",
    "sort -o x notes.txt", "env", "awk 1 notes.txt", "xargs ls", "tee x", "/bin/ls", "./ls", "bin/ls",
    "cd src", "dd", "less notes.txt", "ls ~", "cat 'a\u202eb'",
]  # fmt: skip


@pytest.mark.parametrize("command", ASKS)
def test_everything_else_asks(root: Path, command: str) -> None:
    words = readonly.split(command)
    assert words is None or readonly.allowed(words, Workspace(root)) is None


@given(
    name=st.sampled_from(
        ["cat", "head", "grep x", "ls", "wc", "sed -n 1p", "find", "stat", "tree", "grep -rn x", "rg x"]
    ),
    path=st.sampled_from(["/etc/passwd", "..", "../outside.txt", "out", "out/outside.txt", "/", "out/../outside.txt"]),
    flags=st.lists(st.sampled_from(["-a", "-n", "-l", "-c", "-e", "-A", "--", "-1", "-", "src"]), max_size=3),
    where=st.integers(0, 4),
)
def test_no_flag_hides_a_path_outside(
    tmp_path_factory: pytest.TempPathFactory, name: str, path: str, flags: list[str], where: int
) -> None:
    base = tmp_path_factory.getbasetemp() / "hidden"
    (base / "project" / "src").mkdir(parents=True, exist_ok=True)
    if not (base / "project" / "out").exists():
        (base / "project" / "out").symlink_to(base)
    words = [*name.split(), *flags]
    words.insert(min(len(name.split()) + where, len(words)), path)
    quiet = readonly.allowed(words, Workspace(base / "project"))
    # -e takes the next word, also a path, as its pattern, and the first other word is a pattern without it.
    if quiet is not None:
        assert "grep" in name or "rg" in name
        assert quiet[quiet.index(path) - 1] == "-e" or path not in _files(quiet)


def _files(argv: list[str]) -> list[str]:
    """The files of a grep command line without -e: what follows the pattern."""
    rest = argv[argv.index("--") + 1 :] if "--" in argv else argv[1:]
    return [word for word in rest if not word.startswith("-") or word == "-"][1:]


@pytest.mark.parametrize(
    ("command", "stdout"),
    [
        ("grep -rn token .", "./src/app.py:2:token = 1\n"),
        ("grep token -r .", "./src/app.py:token = 1\n"),
        ("grep -rne token src", "src/app.py:2:token = 1\n"),
        (["grep", "-rn", "--", "token", "src"], "src/app.py:2:token = 1\n"),
        # An include does not bring a secret back.
        (["grep", "-rn", "--include=.e*", "token", "."], ""),
        (["grep", "-rn", "token", ".", "--include=*EM"], ""),
    ],
)
async def test_search_leaves_out_secrets(root: Path, command: str | list[str], stdout: str) -> None:
    outcome = await call(root, command=command)
    assert (outcome.approval, outcome.result["stdout"]) == (None, stdout)


async def test_quiet_command(root: Path) -> None:
    outcome = await call(root, command="cat notes.txt")
    fields = {
        "success": True,
        "exit_code": 0,
        "stdout": "one\ntwo\nthree\n",
        "stderr": "",
        "timed_out": False,
        "truncated": False,
    }
    assert (outcome.ok, outcome.result, outcome.approval) == (True, fields, None)
    assert outcome.wire == {
        "$record": "CommandResult",
        "fields": fields,
        "text": "one\ntwo\nthree",
        "blocked": {},
    }


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("true", "(no output)"),
        ("false", "exit code 1"),
        ("echo out; echo err >&2; exit 3", "out\nerr\nexit code 3"),
        ("kill -9 $$", "exit code -9"),
        ("printf '  a\\n\\n'", "  a"),
        ("cat", "(no output)"),
    ],
)
async def test_text(root: Path, command: str, text: str) -> None:
    assert (await call(root, ANY_COMMAND, command=command)).wire["text"] == text


async def test_a_person_is_asked(root: Path) -> None:
    questions = []

    async def person(question: Question) -> Decision:
        questions.append((question.summary, question.args["command"], question.rule, question.diff))
        return Decision(False, "person", "no")

    script = "ls > x\n\x1b[2Kecho ok"
    for command in (script, ["touch", "a b"], "touch x"):
        outcome = await call(root, person, command=command)
        assert outcome.error == {"kind": "PermissionError", "message": "refused by the user: no"}
    assert questions == [
        ("run ls > x\n\\x1b[2Kecho ok", script, "run", None),
        ("run touch 'a b'", ["touch", "a b"], "run", None),
        ("run touch x", "touch x", "run", None),
    ]
    assert not (root / "x").exists()


async def test_nobody_to_ask(root: Path) -> None:
    outcome = await call(root, command="touch x")
    message = "refused: run touch x (nobody at the terminal; run again with --allow run)"
    assert outcome.error == {"kind": "PermissionError", "message": message}
    long = await call(root, command=f"echo {'a' * 100} > x")
    assert long.error is not None
    assert long.error["message"] == (
        f"refused: run echo {'a' * 75}… (nobody at the terminal; run again with --allow run)"
    )


async def test_a_list_never_meets_a_shell(root: Path) -> None:
    outcome = await call(root, command=["echo", "$HOME; ls > x"])
    assert outcome.wire["text"] == "$HOME; ls > x"
    assert not (root / "x").exists()


async def test_commands_of_the_project_must_be_named_by_path(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name in ("ls", "mytool"):
        (folder / name).write_text("#!/bin/sh\necho from the project\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    assert (await call(root, command="ls src")).wire["text"] == "Site.PEM\napp.py"
    missing = await call(root, ANY_COMMAND, command="mytool")
    assert missing.error == {
        "kind": "FileNotFoundError",
        "message": "no command 'mytool'; did you mean '.venv/bin/mytool'?",
    }
    assert (await call(root, ANY_COMMAND, command=".venv/bin/mytool")).wire["text"] == "from the project"
    assert (await call(root, command=".venv/bin/mytool")).error is not None


@pytest.mark.parametrize(
    ("command", "kind", "message"),
    [
        ("no-such-command x", "FileNotFoundError", "no command 'no-such-command'"),
        ("./nothing", "FileNotFoundError", "no command './nothing'"),
        (
            "cd src",
            "FileNotFoundError",
            "no command 'cd'; every command starts in the root of the workspace",
        ),
        ("./notes.txt", "PermissionError", "Permission denied: 'notes.txt'"),
    ],
)
async def test_what_cannot_start(root: Path, command: str, kind: str, message: str) -> None:
    outcome = await call(root, ANY_COMMAND, command=command)
    assert outcome.error == {"kind": kind, "message": message}


async def test_timeout(root: Path) -> None:
    outcome = await call(root, ANY_COMMAND, command="echo started; sleep 600", timeout_s=1)
    assert (outcome.ok, outcome.result["timed_out"], outcome.result["success"]) == (True, True, False)
    assert outcome.wire["text"] == "started\nstopped: it took too long"


@pytest.mark.parametrize("timeout_s", [0, -1, 3601, float("nan"), float("inf")])
async def test_timeout_out_of_range(root: Path, timeout_s: float) -> None:
    outcome = await call(root, command="ls", timeout_s=timeout_s)
    assert outcome.error == {"kind": "ValueError", "message": "timeout_s must be above 0 and at most 3600"}


async def test_output_is_capped(root: Path) -> None:
    outcome = await call(root, ANY_COMMAND, command=[sys.executable, "-c", "print('é' * 100_000)"])
    assert outcome.result["truncated"] is True
    half = "é" * 16384
    assert outcome.result["stdout"].startswith(f"{half}\n… 134465 bytes left out …\n")
    assert len(outcome.result["stdout"].encode()) < 65536 + 100


async def test_no_secret_in_the_environment(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    monkeypatch.setenv("HF_TOKEN", "t")
    outcome = await call(root, ANY_COMMAND, command="env")
    names = {line.partition("=")[0] for line in outcome.result["stdout"].splitlines()}
    allowed = {"HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"}
    assert {name for name in names if not name.startswith("LC_")} - allowed == {"PATH", "TERM", "NO_COLOR"}
