"""Paths in programs while they are written: real ones are never taken back, others at once."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from punie_cli.agent.messages import answer, output, program, user
from punie_cli.agent.names import names_for, path_arguments
from punie_cli.builtins.registry import Registry
from punie_cli.engine.base import Reply, Text
from punie_cli.engine.calls import Calls
from punie_cli.engine.decoder import Decoder
from punie_cli.engine.lines import PATH_TRIES, REPLY_PATH_TRIES, Dead, LineCheck
from punie_cli.engine.names import Argument, Known, Names, parts_of, words_of
from punie_cli.engine.together import Together
from punie_cli.evaluation.suites import load as load_suite
from punie_cli.listing import listing
from punie_cli.models.load import load
from punie_cli.workspace import Workspace
from tests.replies import begin, words, write
from tests.solved import solutions
from tests.test_together import Scripted
from tests.tiny import make_tiny_model

TAGS = ("<code>", "</code>")
READERS = frozenset({"ls", "cat"})
ARGUMENTS = path_arguments(Registry())
KINDS = {argument.builtin: argument for argument in ARGUMENTS}
PATH, TEST, NEW, COMMAND = (KINDS[name] for name in ("typecheck", "test", "write_file", "run_command"))
BY_PLACE = {(a.builtin, key): a for a in ARGUMENTS for key in (a.index, a.parameter)}
NAMES = Names(
    frozenset({"README.md", "examples/shop/cart.py", "tests/test_tally.py", "pegs/tally.py", ".github/ci.yml"}),
    frozenset({"examples", "examples/shop", "tests", "pegs", ".github"}),
    frozenset({".venv", "pegs/__pycache__"}),
    words_of(["please check `lib/new.py`, and the LICENSE (see notes/):", "app/a.py:12: error in tests/x.py::test_a."]),
    ARGUMENTS,
    READERS,
)
KNOWN = Known(NAMES)


def test_the_arguments_come_from_the_declarations():
    assert (
        Argument("typecheck", "path", 0, optional=True),
        Argument("lint", "path", 0, optional=True),
        Argument("test", "path", 0, "test", optional=True),
        Argument("read_file", "path", 0),
        Argument("write_file", "path", 0, "new"),
        Argument("run_command", "command", 0, "command"),
    ) == ARGUMENTS


def test_words():
    text = (
        """Is `src/a.py` right? (see "docs/b.md", 'c d') x.y:12:4: bad; typecheck("lib/") path=e.py Ann's don't ./f"""
    )
    assert words_of([text]) >= {
        "Is", "src/a.py", "docs/b.md", "c", "x.y", "lib/", "lib", "e.py", "don't", "./f", "f"
    }  # fmt: skip
    assert not words_of([text]) & {"src", "a.py", "docs", "b.md", "a", "py", ""}
    assert words_of(["", " \n"]) == frozenset()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("typecheck pegs", {"typecheck", "pegs"}),
        ("is the loft clean? lint our pegs!", {"is", "our", "pegs"}),
        ("what is in the pegs package", {"what", "the", "pegs"}),
        ("the pegs folder: any errors", {"the", "pegs"}),
        ('my plugin wants `pegs` or "notes" tonight', {"my", "pegs", "notes"}),
        ("all of it, please: test_pegs LICENSE B3", {"all", "it", "test_pegs", "LICENSE", "B3"}),
    ],
)
def test_plain_words_are_meant_as_paths_where_a_path_is_asked_for(text, meant):
    assert words_of([text]) == meant


def test_a_path_that_nobody_spoke_of_is_not_given_where_it_can_be_left_out():
    files = frozenset({"src/hive/frames.py", "pyproject.toml", "tests/test_frames.py", "docs/a.md"})
    folders = frozenset({"src", "src/hive", "tests", "docs"})
    asked = ["how many type errors has a Frame in v2?"]
    known = Known(Names(files, folders, frozenset(), words_of(asked), ARGUMENTS, READERS, parts_of(asked)))
    assert [path for path in sorted(files | folders) if known.fits(PATH, path)] == [
        "src/hive/frames.py",
        "tests/test_frames.py",
    ]
    assert [known.can_become(PATH, text) for text in ("s", "src/hive", "p", "pyproject.toml", "docs", "te")] == [
        True, True, False, False, False, True
    ]  # fmt: skip
    assert known.fits(KINDS["read_file"], "docs/a.md")
    assert known.fits(PATH, ".")


@pytest.mark.parametrize(
    ("argument", "path"),
    [
        *((PATH, path) for path in sorted(NAMES.files | NAMES.folders | NAMES.unlisted)),
        (PATH, "."),
        (PATH, "./"),
        (PATH, "./pegs/"),
        (PATH, "examples/shop/"),
        (PATH, "lib/new.py"),
        (PATH, "app/a.py"),
        (PATH, "notes"),
        (PATH, "notes/"),
        (PATH, "LICENSE"),
        (PATH, "LICENSE.txt"),
        (PATH, "tests/LICENSE.txt"),
        (PATH, "../other"),
        (PATH, "~/x"),
        (PATH, "/etc/passwd"),
        (PATH, ".venv/lib/x.py"),
        (PATH, "pegs/__pycache__/a.pyc"),
        (PATH, "pegs/{}.py"),
        (TEST, "tests/test_tally.py::test_one[a b]"),
        (TEST, "tests/x.py::test_a"),
        (NEW, "any/thing new.py"),
        (COMMAND, "-la"),
        (COMMAND, "20"),
        (COMMAND, "+3"),
        (COMMAND, "pegs"),
    ],
)
def test_what_fits_and_all_its_beginnings(argument, path):
    assert KNOWN.fits(argument, path)
    assert all(KNOWN.can_become(argument, path[:count]) for count in range(len(path) + 1))


@pytest.mark.parametrize(
    ("argument", "path", "alive"),
    [
        (PATH, "shop", 0),
        (PATH, "shop/cart.py", 0),
        (PATH, " pegs", 0),
        (PATH, "pegs ", 4),
        (PATH, "PEGS", 1),
        (PATH, "pegs/test_tally.py", 6),
        (PATH, "examples/sh", 11),
        (PATH, "examples/shop/cart.p", 20),
        (PATH, "examples/shop/carts.py", 18),
        (PATH, "tests/test_tally.py::test_one", 19),
        (PATH, "", 0),
        (TEST, "tests/test_tally.py:x", 20),
        (TEST, "tests/test.py::test_x", 10),
        (PATH, "README.txt", 7),
        (PATH, "tally.md", 5),
        (PATH, "pegs/ta\\lly.py", 7),
        (PATH, "pegs/*.py", 5),
        (PATH, "cart.py", 1),  # it is in examples/shop
        (PATH, "pegs/the.py", 6),
        (COMMAND, "throwaway", 1),
        (NEW, " pegs/a.py", 0),
        (NEW, "pegs/a.py ", 10),
    ],
)
def test_what_does_not_fit(argument, path, alive):
    """`alive`: after so many characters it could still become something."""
    names = Names(
        NAMES.files,
        NAMES.folders,
        NAMES.unlisted,
        frozenset({"the", "Post", "tally", "cart.py", "cup"}),
        ARGUMENTS,
        READERS,
    )
    known = Known(names)
    assert not known.fits(argument, path)
    counts = range(len(path) + 1)
    assert [known.can_become(argument, path[:count]) for count in counts] == [count <= alive for count in counts]


def test_a_word_of_talk_is_a_path_only_where_the_project_has_it():
    words = frozenset({"Everything", "total", "code", "server"})
    known = Known(Names(frozenset({"code/a.py"}), frozenset({"code"}), frozenset(), words, ARGUMENTS, READERS))
    assert [known.fits(PATH, word) for word in ("Everything", "total", "code", "server")] == [False, False, True, True]
    assert [known.can_become(PATH, word) for word in ("Every", "tot", "cod", "serv")] == [False, False, True, True]


def test_what_the_program_has_already_is_a_name():
    seen = frozenset({"out/new.py"})
    for path in ("out/new.py", "out", "out/"):
        assert KNOWN.fits(PATH, path, seen)
        assert not KNOWN.fits(PATH, path)
    assert KNOWN.can_become(PATH, "out/n", seen)


parts = st.text("xb._", min_size=1, max_size=3).filter(lambda part: part.strip("."))
paths = st.lists(parts, min_size=1, max_size=3).map("/".join)
PIECES = ["a", "b", "c", '"', "lint(", ")", "\n", "/"]


@example(set(), {"_"}, "_/")
@given(st.sets(paths, max_size=5), st.sets(st.text("xb._/", max_size=4), max_size=3), st.text("xb._/ ", max_size=8))
def test_a_beginning_can_become_exactly_what_begins_with_it(files, words, text):
    """Against every path that there is, but for what is let be."""
    folders = {file[:at] for file in files for at, c in enumerate(file) if c == "/"}
    known = Known(Names(frozenset(files), frozenset(folders), frozenset(), words_of(words)))
    for path in (*files, *folders, *(f"{folder}/" for folder in folders), *(f"./{file}" for file in files)):
        assert known.fits(PATH, path)
    if known.fits(PATH, text):
        assert known.can_become(PATH, text)
    if not text.startswith(("..", "~", "/", "./")) and "/../" not in text and text and "." not in text:
        heard = words_of(words)
        names = [path.rpartition("/")[2] for path in (*files, *folders)]
        heard = {word for word in heard if word.rstrip("/") in {*files, *folders} or names.count(word.rstrip("/")) != 1}
        whole = {*files, *folders, *(f"{folder}/" for folder in folders), *heard, *(f"{word}/" for word in heard)}
        # Slashes too many name the same folder.
        fits = text in whole or text.rstrip("/") in {*folders, *heard}
        assert known.fits(PATH, text) == fits
        stems = any(word.startswith(text.rpartition("/")[2]) and "_" in word for word in heard)
        folder = text.rpartition("/")[0]
        starts = fits or any(name.startswith(text) for name in whole)
        assert known.can_become(PATH, text) == (starts or (stems and (not folder or folder in folders)))


# With lines


def feed(check: LineCheck, pieces: list[str]) -> list[str | Dead]:
    return [check.add(token, piece) for token, piece in enumerate(pieces)]


def begun(*pieces: str, names: Names | None = NAMES) -> LineCheck:
    check = LineCheck(TAGS, names)
    assert not any(isinstance(shown, Dead) for shown in feed(check, ["<code>\n", *pieces]))
    return check


@pytest.mark.parametrize(
    ("before", "piece"),
    [
        (["print(typecheck", '("'], "shop"),
        (["print(typecheck", '("'], "python"),
        (["lint", '("ex'], "tra"),
        (["print(typecheck"], '("shop'),
        (["typecheck", "(", '"examples', "/sh"], '")\n'),
        (["typecheck", "(", '"examples', "/sh"], '").error_count'),
        (["write_file", '("'], " pottery"),
        (["read_file", '("pegs', "/test"], "_tally.py"),
        (['run_command(["ls", "'], "throwaway"),
        (["x = 1\n", "lint(path=", '"'], "nothing"),
        (["run_command(\n    [", '"cat",\n', '"README', ".md", '", "'], "x"),
    ],
)
def test_a_token_from_which_no_path_can_come_is_taken_back(before, piece):
    check = begun(*before)
    assert check.add(99, piece) == Dead(1, frozenset({99}))
    assert check.dropped == 1
    # Without names nothing happens.
    assert not isinstance(begun(*before, names=None).add(99, piece), Dead)


def test_a_quote_that_comes_too_early_is_taken_back_when_it_is_known():
    check = begun("typecheck(", '"examples/sh')
    assert check.add(7, '"') == ""
    assert check.add(8, ")") == Dead(2, frozenset({7}))
    assert [check.add(9, 'op"'), check.add(8, ")"), check.add(10, "\n")] == [
        "",
        "",
        "\n" + 'typecheck("examples/shop")',
    ]


def test_a_path_that_is_put_together_is_let_be():
    check = begun("read_file(", '"examples/sh')
    assert [check.add(7, '"'), check.add(8, " +"), check.add(9, " x)")] == ["", "", ""]


def test_what_was_written_in_the_same_program_is_a_name():
    assert isinstance(begun("typecheck(").add(9, '"out/a.py")'), Dead)
    check = begun('write_file("out/a.py", "")\n', "typecheck(")
    assert not isinstance(check.add(9, '"out/a.py")'), Dead)


def test_after_eight_others_the_first_choice_stands():
    check = begun("print(read_file", '("')
    seen = [check.add(token, f"zz{token}") for token in range(10, 11 + PATH_TRIES)]
    assert seen == [*(Dead(1, frozenset(range(10, 11 + n))) for n in range(PATH_TRIES)), Dead(1, frozenset())]
    # And so does the rest of it.
    assert [check.add(10, "zz10"), check.add(11, "yy"), check.add(12, '"))'), check.add(13, "\n")] == [
        "", "", "", '\nprint(read_file("zz10yy"))'
    ]  # fmt: skip
    assert check.dropped == PATH_TRIES + 1
    assert isinstance(check.add(14, 'read_file("zz'), Dead)


def test_after_eight_others_a_check_is_written_without_a_path():
    check = begun("print(typecheck", '("', "ex")
    seen = [check.add(token, f"zz{token}") for token in range(10, 11 + PATH_TRIES)]
    assert seen[:-1] == [Dead(1, frozenset(range(10, 11 + n))) for n in range(PATH_TRIES)]
    # From the bracket on, which shares its token with the quote.
    assert seen[-1] == Dead(3, frozenset({2}))
    assert [check.add(20, "("), check.add(21, '"'), check.add(22, "ex")] == ["", "", Dead(2, frozenset({21}))]
    assert [check.add(23, "path="), check.add(21, '"'), check.add(22, "ex")] == ["", "", Dead(3, frozenset({21, 23}))]
    assert [check.add(24, "))"), check.add(25, "\n")] == ["", "\nprint(typecheck())"]
    check.add(26, 'read_file("README.md")\n')
    assert isinstance(check.add(27, 'lint("zz'), Dead)


def test_the_whole_project_is_a_path_still():
    check = begun("print(typecheck", '("')
    for token in range(10, 11 + PATH_TRIES):
        check.add(token, f"zz{token}")
    assert [check.add(20, "("), check.add(21, '"'), check.add(22, "."), check.add(23, '"))\n')] == [
        "", "", "", '\nprint(typecheck("."))'
    ]  # fmt: skip


def test_a_reply_is_tried_24_times():
    check = begun()
    dropped = 0
    for line in range(40):
        check.add(1, "read_file(")
        while isinstance(check.add(2 + dropped, '"zz'), Dead):
            dropped += 1
        check.add(1, f'")  # {line}\n')
    assert (dropped, check.dropped) == (REPLY_PATH_TRIES + REPLY_PATH_TRIES // PATH_TRIES, dropped)


def test_bans_of_lines_and_paths_add_up():
    check = begun()
    assert check.add(1, "x))\n") == Dead(1, frozenset({1}))
    assert check.add(2, 'lint("zz') == Dead(1, frozenset({1, 2}))
    assert check.add(3, "y))\n") == Dead(1, frozenset({1, 2, 3}))


def test_outside_of_programs_nothing_is_judged():
    check = LineCheck(TAGS, NAMES)
    assert feed(check, ['typecheck("zz")\n', "<code>\n", "x\n</code>\n", 'lint("zz")']) == [
        'typecheck("zz")\n', "<code>", "\nx\n</code>\n", 'lint("zz")'
    ]  # fmt: skip


@given(st.data())
def test_a_program_with_known_paths_is_never_taken_back(data):
    known = sorted(NAMES.files | NAMES.folders | {"lib/new.py", ".", "app/a.py"})
    lines = []
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(["", "./"])) + data.draw(st.sampled_from(known))
        form = data.draw(
            st.sampled_from(['print(typecheck("{}"))', "x = test(path='{}')", 'run_command(["ls", "{}"])'])
        )
        lines.append(form.format(path))
    text = "<code>\n" + "\n".join(lines) + "\n</code>"
    check, shown = LineCheck(TAGS, NAMES), []
    while text:
        size = data.draw(st.integers(1, 7))
        shown.append(check.add(len(shown), text[:size]))
        text = text[size:]
    shown.append(check.end(999, ""))
    assert check.dropped == 0
    assert "".join(map(str, shown)) == "<code>\n" + "\n".join(lines) + "\n</code>"


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from(PIECES)), max_size=80))
def test_states_go_back_with_the_tokens(tokens):
    """After any number of drops the reader stands where one stands that has read what is left."""
    check = begun()
    for token, piece in tokens:
        check.add(token, piece)
        if not check._watching:
            return
        last = check._calls[-1]
        if last is not None and check._path_tries == 0:
            fresh = Calls(BY_PLACE, READERS, check._program or 0)
            fresh.read(check._text[fresh.at :])
            assert fresh.__dict__ | {"_arguments": 0} == last.__dict__ | {"_arguments": 0}


# With models


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize(
    ("liked", "text", "dropped"),
    [
        ("a", 'lint("a.py")', 0),
        ("za", 'lint("a.py")', 1),
        ("zyxwvutsa", 'lint("a.py")', 8),
        ("zyxwvutsra", 'read_file("z.py")', 9),
    ],
)
def test_a_path_is_mended_in_one_reply_and_in_several_alike(tiny, liked, text, dropped):
    """`liked`: the letters that the model would write in the place of the path's first one, best first."""
    script = f'<code>\nprint({text.partition("(")[0]}("a.py"))\n</code>'
    model, tokenizer, _ = load(tiny)
    one = {c: tokenizer.encode(c, add_special_tokens=False)[0] for c in {*script, *liked}}
    wishes = [[one[c]] for c in script] + [[tokenizer.eos_token_id]]
    wishes[script.index('"') + 1] = [one[c] for c in liked]
    names = Names(files=frozenset({"a.py"}), arguments=ARGUMENTS)
    whole, first = f"<code>\nprint({text})\n</code>", script.replace("a.py", f"{liked[0]}.py")
    tokens = words(tokenizer, 40)

    scripted = Scripted(model, 20, wishes)
    *pieces, reply = Decoder(scripted, tokenizer, chunk=16).generate(tokens[:20], 60, lambda: False, TAGS, names)
    assert isinstance(reply, Reply)
    assert "".join(piece.text for piece in pieces if isinstance(piece, Text)) == reply.text == whole
    assert reply.tokens == [*(one[c] for c in whole), tokenizer.eos_token_id]
    assert (reply.finish, reply.usage.dropped_tokens) == ("stop", dropped)

    together = Together(Decoder(scripted, tokenizer, chunk=16), 3)
    places = [begin(together, tokens[n : n + 20], 60, tags=TAGS, names=names if n else None) for n in range(3)]
    ended = write(together)
    replies = [other for place in places if isinstance(other := ended[id(place)], Reply)]
    assert [reply.text for reply in replies] == [first, whole, whole]
    assert [reply.usage.dropped_tokens for reply in replies] == [0, dropped, dropped]
    assert replies[1].tokens == reply.tokens


# The project


def programs_of(suite: str) -> Iterator[tuple[Path, tuple[str, ...], str]]:
    """Good programs for the cases: the project, the prompts, the program."""
    replies = solutions(suite)
    for case in load_suite(suite).case:
        for reply in replies[case.name] if case.fixture else []:
            if reply.startswith("<code>"):
                yield case.fixture_folder, case.prompts, reply


def test_good_programs_over_real_projects_are_never_taken_back():
    """Nearly: in what comes after an output only the words of the prompts are known here."""
    count = 0
    for folder, prompts, reply in programs_of("hard"):
        names = names_for(Registry(), Workspace(folder), [user(prompt) for prompt in prompts])
        check = LineCheck(TAGS, names)
        feed(check, re.findall(r"\n| ?\w+| ?[^\w\s]|\s", reply))
        assert check.dropped == 0, reply
        count += 1
    assert count > 20


def test_a_listing(tmp_path):
    for name in ("a.py", "src/b.py", "src/__pycache__/b.pyc", ".git/config", "env/pyvenv.cfg", "env/lib/x.py", "e/f/g"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "src")
    (tmp_path / "link.py").symlink_to(tmp_path / "a.py")
    found = listing(tmp_path)
    assert found is not None
    assert found.files == {"a.py", "src/b.py", "e/f/g", "link.py"}
    assert found.folders == {"src", "e", "e/f", "empty"}
    assert found.unlisted == {"src/__pycache__", ".git", "env", "link"}
    assert listing(tmp_path, 5) is None


def test_the_names_for_a_reply(tmp_path, monkeypatch):
    (tmp_path / "a.py").touch()
    said = [user("check a.py"), program("zz()"), output("out.txt", "KeyError: why"), answer("answered")]
    names = names_for(Registry(), Workspace(tmp_path), said, "tail.md")
    assert names is not None
    assert names.files == {"a.py"}
    assert names.words >= {"check", "a.py", "out.txt", "KeyError", "tail.md"}
    assert not names.words & {"zz", "answered", "why"}
    assert names.parts == {"check", "py", "out", "txt", "keyerror", "why", "tail", "md"}
    assert names.arguments == ARGUMENTS
    monkeypatch.setattr(Workspace, "listing", lambda self: None)
    assert names_for(Registry(), Workspace(tmp_path), said) is None
