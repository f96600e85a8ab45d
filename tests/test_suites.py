"""The schema of suites: what a file may say, how it is refused, what the shipped ones ask."""

import shutil
from pathlib import Path

import pytest

from punie_cli.errors import MissingError, UsageError
from punie_cli.evaluation import suites
from punie_cli.evaluation.suites import CallPattern, Case, Expect, Suite, load, names
from punie_cli.rows.build import held_out

SUITE = 'fixture = "bookstall"\n[[case]]\nname = "a"\nprompt = "p"\n[case.expect]\nnumber = 1\n'
SECOND = '[[case]]\nname = "b"\nprompts = ["p", "q"]\n[case.expect]\nno_calls = true\n'

EVERYTHING = """
title = "All keys"
sealed = true
fixture = "bookstall"
[[case]]
name = "check-then-fix"
group = "fix"
prompts = ["check it", "mend it"]
files = { "a.py" = "x = 1" }
allow = ["write", "run"]
refused = true
missing = ["ty"]
[case.expect]
calls = [
    { builtin = "typecheck", args = { path = "src" }, worked = false },
    { builtin = "run_command", words = ["ls"] },
]
ordered = true
calls_any = [{ builtin = "lint" }]
calls_none = [{ builtin = "write_file" }]
fields = ["errors", "line"]
answer_all = ["a"]
answer_any = ["b"]
answer_none = ["c"]
number = 3
lines = [14, 17]
refuses = true
files = { "a.py" = "x = 2" }
files_say = { "b.py" = ["x = 3"] }
files_gone = ["old.py"]
changes = ["c.py", "tests/*"]
typechecks = ["a.py"]
lints = ["a.py"]
tests = ["tests"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key(tmp_path: Path) -> None:
    expect = Expect(
        calls=(
            CallPattern(builtin="typecheck", args={"path": "src"}, worked=False),
            CallPattern(builtin="run_command", words=("ls",)),
        ),
        ordered=True,
        calls_any=(CallPattern(builtin="lint"),),
        calls_none=(CallPattern(builtin="write_file"),),
        fields=("errors", "line"),
        answer_all=("a",),
        answer_any=("b",),
        answer_none=("c",),
        number=3,
        lines=(14, 17),
        refuses=True,
        files={"a.py": "x = 2"},
        files_say={"b.py": ("x = 3",)},
        files_gone=("old.py",),
        changes=("c.py", "tests/*"),
        typechecks=("a.py",),
        lints=("a.py",),
        tests=("tests",),
    )
    case = Case(
        name="check-then-fix",
        group="fix",
        fixture="bookstall",
        prompts=("check it", "mend it"),
        files={"a.py": "x = 1"},
        allow=frozenset({"write", "run"}),
        refused=True,
        missing=frozenset({"ty"}),
        expect=expect,
    )
    suite = load(written(tmp_path, EVERYTHING))
    assert suite == Suite(name="mine", title="All keys", sealed=True, fixture="bookstall", case=(case,))
    assert suite.groups == ("fix",)
    assert set(Expect.model_fields) == set(expect.model_fields_set) | {"no_calls"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fixture = 1 =", " cannot be read: "),
        ('fixture = "bookstall"\n', ": case: Field required"),
        ('fixture = "bookstall"\ncase = []\n', ": case: Tuple should have at least 1 item"),
        ("titel = 1\n" + SUITE, ": titel: unknown key; did you mean 'title'?"),
        (SUITE.replace("prompt", "promt"), "case 'a': promt: unknown key; did you mean 'prompt'? (and 1 more)"),
        (SUITE.replace("prompt", 'grup = "x"\nprompt'), "case 'a': grup: unknown key; did you mean 'group'?"),
        (SUITE + "numbr = 1\n", "case 'a': expect.numbr: unknown key; did you mean 'number'?"),
        (SUITE.replace('name = "a"\n', ""), "case 1: name: Field required"),
        (SUITE + SECOND.replace("no_calls", "no_call"), "case 'b': expect.no_call: unknown key"),
        (SUITE.replace("number = 1", ""), "case 'a': expect: it expects nothing"),
        (SUITE.replace("number = 1", "no_calls = false\ncalls = []"), "case 'a': expect: it expects nothing"),
        (SUITE + 'calls = [{ builtin = "fly" }]\n', "case 'a': expect.calls[0]: no builtin 'fly'"),
        (SUITE + 'calls = [{ builtin = "typechek" }]\n', "no builtin 'typechek'; did you mean 'typecheck'?"),
        (SUITE + 'calls = [{ builtin = "lint", arg = {} }]\n', "calls[0].arg: unknown key; did you mean 'args'?"),
        (
            SUITE + 'calls_any = [{ builtin = "lint" }, { builtin = "lint", args = { file = "a" } }]\n',
            "case 'a': expect.calls_any[1]: lint() has no argument 'file'; it takes: path",
        ),
        (SUITE + 'calls = [{ builtin = "lint", words = ["x"] }]\n', "words are those of a command"),
        (SUITE + 'calls_none = [{ builtin = "lint", worked = false }]\n', "calls_none means every try"),
        (SUITE + 'calls = [{ builtin = "lint" }]\nordered = true\n', "ordered needs two calls or more"),
        (SUITE + 'no_calls = true\ncalls = [{ builtin = "lint" }]\n', "no_calls contradicts"),
        (
            SUITE + 'fields = ["errors", "mesage"]\n',
            "case 'a': expect.fields: no result of a builtin has a field 'mesage'; did you mean 'message'?",
        ),
        (SUITE + 'answer_all = [" "]\n', "case 'a': expect.answer_all[0]: a text is empty"),
        (SUITE + 'files_gone = ["a"]\nfiles = { a = "x" }\n', "a is to be gone and to have a content"),
        (SUITE + 'changes = ["../a"]\n', "'../a' is not a path inside the project"),
        (SUITE + 'typechecks = ["./a.py"]\n', "'./a.py' is not a path inside the project"),
        (SUITE + 'files = { "/etc/passwd" = "x" }\n', "'/etc/passwd' is not a path inside the project"),
        (SUITE + SUITE.partition("\n")[2], "two cases are named 'a'"),
        (SUITE.replace("prompt", 'allow = ["everything"]\nprompt'), "case 'a': allow[0]: Input should be 'write' or"),
        (SUITE.replace("prompt", 'missing = ["git"]\nprompt'), "case 'a': missing[0]: Input should be 'ty', 'ruff'"),
        (SUITE.replace("prompt", 'prompts = ["p"]\nprompt'), "case 'a': it has both prompt and prompts"),
        (SUITE.replace('"p"', '" "'), "case 'a': prompts[0]: a text is empty"),
        (SUITE.replace("bookstall", "../rows"), ": fixture: '../rows' is not a path inside the project"),
        (SUITE.partition("\n")[2], "case 'a': fixture: neither the case nor the suite names one"),
    ],
)
def test_a_suite_that_does_not_fit_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        load(path)
    assert caught.value.message.startswith(f"suite {path}") and message in caught.value.message


def test_a_suite_from_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, SUITE + SECOND)
    cases = (
        Case(name="a", fixture="bookstall", prompts=("p",), expect=Expect(number=1)),
        Case(name="b", fixture="bookstall", prompts=("p", "q"), expect=Expect(no_calls=True)),
    )
    assert load(str(path)) == Suite(name="mine", fixture="bookstall", case=cases)
    written(tmp_path, SUITE + SECOND.replace("prompts", 'fixture = "nowhere"\nprompts'))
    with pytest.raises(MissingError, match=r"suite mine needs the fixture 'nowhere', .* \(case 'b'\)"):
        load(path)


def test_a_fixture_beside_the_suite(tmp_path: Path) -> None:
    text = SUITE.replace('"bookstall"', '"./mine"')
    for home in (tmp_path / "one", tmp_path / "two"):
        (home / "mine").mkdir(parents=True)
        (home / "mine" / "a.py").write_text("x = 1\n", encoding="utf-8")
    one, two = (load(written(tmp_path / name, text)) for name in ("one", "two"))
    assert [suite.case[0].fixture_folder for suite in (one, two)] == [tmp_path / "one/mine", tmp_path / "two/mine"]
    # It is the same suite, wherever it lies.
    assert one.hash == two.hash
    (tmp_path / "two" / "mine" / "a.py").write_text("x = 2\n", encoding="utf-8")
    assert one.hash != two.hash
    # Two folders of one name are two fixtures.
    for part in ("x", "y"):
        shutil.copytree(tmp_path / "one" / "mine", tmp_path / "one" / part / "mine")
    case = '[[case]]\nname = "{0}"\nfixture = "./{0}/mine"\nprompt = "?"\nexpect = {{ number = 1 }}\n'
    path = written(tmp_path / "one", case.format("x") + case.format("y"))
    first = load(path).hash
    (tmp_path / "one" / "x" / "mine" / "a.py").write_text("x = 3\n", encoding="utf-8")
    assert load(path).hash != first
    with pytest.raises(MissingError, match=r"needs the fixture '.*other', which is not there"):
        load(written(tmp_path / "one", text.replace("mine", "other")))


def test_an_unknown_suite_names_those_there_are() -> None:
    with pytest.raises(MissingError, match="no suite 'fondation'; there are: "):
        load("fondation")


def test_the_hash_is_that_of_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(written(tmp_path, SUITE))
    assert load(written(tmp_path, 'title = "Another"\nsealed = true\n# a word\n' + SUITE)).hash == first.hash
    assert load(written(tmp_path, SUITE.replace("number = 1", "number = 2"))).hash != first.hash
    assert load(written(tmp_path, SUITE.replace("prompt", 'allow = ["run", "write"]\nprompt'))).hash == (
        load(written(tmp_path, SUITE.replace("prompt", 'allow = ["write", "run"]\nprompt'))).hash
    )
    copy = tmp_path / "fixtures" / "bookstall"
    shutil.copytree(first.case[0].fixture_folder, copy)
    monkeypatch.setattr(suites, "shipped", lambda *parts: tmp_path.joinpath(*parts))
    assert first.hash == load(written(tmp_path, SUITE)).hash
    (copy / "__pycache__").mkdir()
    (copy / "__pycache__" / "a.pyc").write_bytes(b"x")
    assert first.hash == load(written(tmp_path, SUITE)).hash
    (copy / "README.md").write_text("other", encoding="utf-8")
    assert suites.fixture_files(copy)["README.md"] == b"other"
    changed = first.hash
    monkeypatch.undo()
    assert first.hash != changed


@pytest.mark.parametrize("name", names())
def test_shipped_suites_load(name: str) -> None:
    suite = load(name)
    assert (suite.name, suite.hash) == (name, load(name).hash)


def test_every_prompt_of_every_turn_is_held_out() -> None:
    assert names() == sorted(names())
    prompts = [prompt for name in names() for case in load(name).case for prompt in case.prompts]
    assert held_out() == suites.held_out() == prompts


def test_the_foundation_suite_names_its_prompts() -> None:
    assert [case.prompts for case in load("foundation").case] == [
        ("typecheck src/",),
        ("how many type errors are in shop/cart.py?",),
        ("what does Optional mean in a type hint?",),
        ("read README.md",),
        ("are there any type problems in src/billing.py?",),
        ("show me what is in pyproject.toml",),
        ("which line of shop/cart.py has the first type error?",),
        ("list the files in shop",),
        ("how many lines does src/billing.py have?",),
        ("what is the currency in config.json?",),
        ("where is the function apply_discount defined?",),
        ("create notes.txt with the text: call the printer",),
        ("what is the difference between a list and a tuple?",),
        ("type check cart.py",),
    ]
