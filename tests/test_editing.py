"""The text in the prompt: menus, pasted text, the editor, the history; keys through a pipe."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from punie_cli.chat.commands import Command, commands
from punie_cli.chat.completion import ChatCompleter
from punie_cli.chat.history import History, history_file
from punie_cli.chat.prompt import PromptReader
from punie_cli.settings import Settings
from tests.chatting import CTRL_C, CTRL_D, CTRL_J, ENTER, Keys, keys, until

TAB, UP, CTRL_R, UNDO, UNFOLD, EDIT = "\t", "\x1b[A", "\x12", "\x1f", "\x18\x16", "\x18\x05"
FOLDED = "[Pasted text #1 +200 lines]"
LINES = "".join(f"line {number}\n" for number in range(200))


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    (folder / "src").mkdir(parents=True)
    for name in ("src/models.py", "src/views.py", "readme.md", "two words.md"):
        (folder / name).touch()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return folder


def paste(text: str) -> str:
    return f"\x1b[200~{text}\x1b[201~"


class Hands:
    """What a test does at the prompt, one step after the other."""

    def __init__(self, reader: PromptReader, send: Callable[[str], None], ready: Callable[[], bool]) -> None:
        self.buffer = reader.session.default_buffer
        self.reader, self.send, self.ready = reader, send, ready

    async def type(self, text: str, shown: str) -> None:
        """Type, until `shown` stands in the prompt."""
        self.send(text)
        await until(lambda: self.buffer.text == shown)

    async def menu(self, text: str) -> list[str]:
        """Type; the entries of the menu that opens."""
        self.send(text)
        await until(lambda: bool(self._entries()))
        return self._entries()

    def _entries(self) -> list[str]:
        state = self.buffer.complete_state
        return [completion.text for completion in state.completions] if state is not None else []

    async def press(self, key: str) -> None:
        """Press a key, until all is done that comes of it."""
        self.send(key)
        await until(self.ready)


async def talk(steps: Callable[[Hands], Awaitable[None]], replies: Iterable[str] = ()) -> Keys:
    typed = keys(replies)

    async def typing(reader: PromptReader, send: Callable[[str], None], ready: Callable[[], bool]) -> None:
        hands = Hands(reader, send, ready)
        await until(lambda: reader.session.app.is_running and ready())
        await steps(hands)
        await until(ready)
        send(CTRL_C)
        await until(lambda: not hands.buffer.text)
        send(CTRL_D)

    await typed.talk(typing)
    return typed


async def test_the_menu_of_commands_opens_by_itself_and_enter_takes_the_chosen_entry() -> None:
    async def steps(hands: Hands) -> None:
        assert await hands.menu("/hel") == ["/help"]
        await hands.type(TAB, "/help")
        await hands.press(ENTER)
        assert (hands.buffer.text, hands.buffer.complete_state) == ("/help", None)
        await hands.press(ENTER)
        assert hands.buffer.text == ""

    assert "/help" in (await talk(steps)).stdout


async def test_enter_sends_while_a_menu_is_open_of_which_nothing_is_chosen() -> None:
    async def steps(hands: Hands) -> None:
        await hands.menu("see @mod")
        await hands.press(ENTER)

    assert (await talk(steps, ["Yes."])).asked == ["see @mod"]


async def test_a_path_is_chosen_and_sent_as_it_is() -> None:
    async def steps(hands: Hands) -> None:
        assert await hands.menu("read @mod") == ["@src/models.py"]
        await hands.type(TAB, "read @src/models.py")
        await hands.press(ENTER)
        await hands.press(f" and me@src{ENTER}")

    typed = await talk(steps, ["Yes."])
    assert typed.asked == ["read src/models.py and me@src"]
    assert next(iter(History(history_file(Path.cwd())).load_history_strings())) == "read @src/models.py and me@src"


async def test_the_menu_goes_on_inside_a_folder() -> None:
    async def steps(hands: Hands) -> None:
        assert await hands.menu("@") == ["@readme.md", "@src/", '@"two words.md"', "@src/models.py", "@src/views.py"]
        await hands.type(TAB, "@readme.md")
        await hands.type(TAB, "@src/")
        await hands.press(ENTER)
        assert await hands.menu("") == ["@src/views.py", "@src/models.py"]
        await hands.type(TAB, "@src/views.py")

    await talk(steps)


async def test_nothing_opens_where_nothing_is_asked_for() -> None:
    async def steps(hands: Hands) -> None:
        for text in ("plain words", "a /help", "me@src"):
            await hands.type(text, text)
            await hands.press("")
            assert hands.buffer.complete_state is None
            hands.send(CTRL_C)
            await hands.type("", "")

    await talk(steps)


def completer(root: Path, choices: Callable, monkeypatch: pytest.MonkeyPatch) -> ChatCompleter:
    added = (*commands(), Command("/use", "a command", lambda chat, argument: None, "NAME", choices))
    monkeypatch.setattr("punie_cli.chat.completion.commands", lambda: added)
    return ChatCompleter(root, lambda: "the chat")


def completed(made: ChatCompleter, text: str) -> list[str]:
    return [each.text for each in made.get_completions(Document(text), CompleteEvent())]


def test_the_argument_of_a_command_comes_from_its_choices(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def choices(chat: object) -> list[str]:
        asked.append(chat)
        return ["zeta", "org/alpha", "beta"]

    made = completer(project, choices, monkeypatch)
    assert completed(made, "/us") == ["/use "]
    assert completed(made, "/use ") == ["zeta", "org/alpha", "beta"]
    assert completed(made, "/use al") == ["org/alpha"]
    assert completed(made, "/use et") == ["beta", "zeta"]
    assert asked == ["the chat"]
    assert completed(made, "/uz") == completed(made, "/use x\n") == completed(made, " /use ") == []
    assert completed(made, "/ue") == ["/use ", "/resume "] and completed(made, "/use ") and asked == ["the chat"] * 2


def test_choices_that_fail_are_no_choices(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed(completer(project, lambda chat: 1 / 0, monkeypatch), "/use ") == []


def test_every_command_is_in_the_menu_with_its_text(project: Path) -> None:
    found = ChatCompleter(project, lambda: None).get_completions(Document("/"), CompleteEvent())
    assert [(each.display_text, each.display_meta_text) for each in found] == [
        (command.usage, command.doc) for command in commands()
    ]


async def test_a_paste_of_200_lines() -> None:
    async def steps(hands: Hands) -> None:
        await hands.type("look:\n".replace("\n", CTRL_J), "look:\n")
        await hands.type(paste(LINES.replace("\n", "\r\n")), f"look:\n{FOLDED}")
        await hands.type(" end", f"look:\n{FOLDED} end")
        await hands.press(ENTER)
        # In the history it is whole.
        await hands.type(UP, f"look:\n{LINES} end")

    typed = await talk(steps, ["Yes."])
    assert typed.asked == [f"look:\n{LINES} end"]
    assert next(iter(History(history_file(Path.cwd())).load_history_strings())) == f"look:\n{LINES} end"


async def test_a_paste_is_unfolded_by_a_key_and_folded_by_undo() -> None:
    async def steps(hands: Hands) -> None:
        await hands.type("a", "a")
        await hands.type(paste(LINES), f"a{FOLDED}")
        await hands.type(UNFOLD, f"a{LINES}")
        await hands.type(UNDO, f"a{FOLDED}")
        await hands.type(UNDO, "a")
        await hands.type(paste("x" * 2000), "a[Pasted text #2 +1 line]")
        await hands.press(ENTER)

    assert (await talk(steps, ["Yes."])).asked == ["a" + "x" * 2000]


async def test_what_was_pasted_has_no_control_characters() -> None:
    async def steps(hands: Hands) -> None:
        await hands.type(paste("\x1b[31mred\x1b[0m\rb\x07"), "red\nb")

    await talk(steps)


@pytest.fixture
def edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets an editor that is a few lines of Python with the file as `path`."""
    monkeypatch.delenv("VISUAL", raising=False)

    def make(body: str) -> None:
        script = tmp_path / "editor.py"
        script.write_text(f"import sys\nfrom pathlib import Path\npath = Path(sys.argv[1])\n{body}\n")
        monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")

    return make


async def test_the_editor_gets_what_stands_in_the_prompt(edits: Callable[[str], None]) -> None:
    edits("path.write_text(path.read_text().upper() + 'more\\n')")

    async def steps(hands: Hands) -> None:
        await hands.type(paste(LINES) + "x", f"{FOLDED}x")
        await hands.type(EDIT, f"{LINES.upper()}X\nmore")
        await hands.type(UNDO, f"{FOLDED}x")

    assert (await talk(steps)).engine.prompts == []


async def test_edit_opens_the_last_message(edits: Callable[[str], None]) -> None:
    edits("path.write_text(path.read_text() + 'and more')")

    async def steps(hands: Hands) -> None:
        await hands.press(f"first{ENTER}")
        await hands.type(f"/edit{ENTER}", "first\nand more")
        await hands.press(ENTER)

    assert (await talk(steps, ["One.", "Two."])).asked == ["first", "first\nand more"]


async def test_control_c_in_the_editor_is_not_for_the_chat(edits: Callable[[str], None]) -> None:
    edits("import os, signal, time; os.kill(os.getppid(), signal.SIGINT); time.sleep(0.1); path.write_text('there')")

    async def steps(hands: Hands) -> None:
        await hands.press("")
        await hands.type(f"/edit{ENTER}", "there")
        await hands.type(EDIT, "there")
        await until(lambda: not hands.reader.editing.open)

    assert (await talk(steps)).stderr.count("stopped") == 0


async def test_an_editor_that_changes_nothing_and_one_that_fails(edits: Callable[[str], None]) -> None:
    async def steps(hands: Hands) -> None:
        edits("")
        await hands.press(f"/edit{ENTER}")
        edits("sys.exit(1)")
        await hands.press(f"/edit{ENTER}")
        await hands.type("kept", "kept")
        edits("Path('ran').touch(); sys.exit(2)")
        await hands.press(EDIT)
        await until(Path("ran").exists)
        await until(lambda: not hands.reader.editing.open)
        assert hands.buffer.text == "kept"

    shown = (await talk(steps)).stderr
    assert "(the text is as it was; an editor with a window must wait, as `code --wait` does)" in shown
    assert shown.count("ended with exit code 1; the text is as it was\nTry: export EDITOR=vi") == 1
    assert shown.count("ended with exit code 2; the text is as it was\nTry: export EDITOR=vi") == 1


async def test_earlier_messages_of_several_lines_are_searched(project: Path) -> None:
    for message in ("first\nwith needle\nend", "second"):
        History(history_file(project)).store_string(message)

    async def steps(hands: Hands) -> None:
        hands.send(f"{CTRL_R}needle")
        await asyncio.sleep(0)
        await hands.type(ENTER, "first\nwith needle\nend")
        await hands.press(ENTER)

    assert (await talk(steps, ["Yes."])).asked == ["first\nwith needle\nend"]


def test_the_setting_of_the_keys() -> None:
    assert (Settings().keys, Settings(keys="vi").keys) == ("emacs", "vi")
