"""Asks the person at the terminal before a program writes or runs something."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import PurePosixPath

from punie_cli import permits
from punie_cli.approvals import Approver, Decision, Question
from punie_cli.builtins.files import diff
from punie_cli.errors import PunieError
from punie_cli.permits import Standing
from punie_cli.render import View

ReadLine = Callable[[str], Awaitable[str | None]]

_HELP = {
    "y": "yes",
    "s": "yes, and until you leave yes to {session}",
    "a": "always, in this project; shows the rule first",
    "e": "edit the text, and write yours",
    "n": "no; `n REASON` tells the model why",
}


def person(view: View, read_line: ReadLine, standing: Standing | None = None) -> Approver:
    """An approver that shows each question with its diff; what `standing` decides is not asked about.

    `read_line` gets the text to show before the cursor; None from it, the end of input, is a no.
    """
    return _Asking(view, read_line, standing or Standing()).decide


def read_answer(line: str | None) -> Decision | None:
    """What was typed, as a decision; None where it must be asked again."""
    if line is None:
        return Decision(False, "person")
    word, _, rest = line.strip().partition(" ")
    word = word.lower().rstrip(",:;")
    if word in ("n", "no"):
        return Decision(False, "person", rest.strip())
    if word in ("y", "yes", "s", "session") and not rest:
        return Decision(True, "person")
    return None


class _Asking:
    def __init__(self, view: View, read_line: ReadLine, standing: Standing) -> None:
        self._view = view
        self._read_line = read_line
        self._standing = standing
        # Questions of one program come one at a time; a second program must wait for the first answer.
        self._lock = asyncio.Lock()

    async def decide(self, question: Question) -> Decision:
        async with self._lock:
            decision = self._standing.decide(question)
            if decision is None:
                self._view.question(question)
                return await self._ask(question)
            if decision.allowed:
                self._view.change(question)
            return decision

    async def _ask(self, question: Question) -> Decision:
        text = question.args.get("text") if question.rule == "write" else None
        rule = permits.proposal(question, self._standing.root) if self._standing.permits else None
        letters = ["y", "s", *("a" * (rule is not None)), *("e" * isinstance(text, str)), "n", "?"]
        while True:
            line = await self._read_line(f"Allow it? [{'/'.join(letters)}] ")
            word = (line or "").strip().lower()
            decision = read_answer(line)
            if word in ("a", "always"):
                decision = await self._always(question, rule) if rule is not None else self._no_rule()
            elif word in ("e", "edit"):
                decision = await self._edited(question, text) if isinstance(text, str) else self._nothing_to_edit()
            elif decision is None:
                self._help(question, letters)
            elif word in ("s", "session"):
                self._standing.allow_session(question)
            if decision is not None:
                return decision

    async def _always(self, question: Question, rule: permits.Permit) -> Decision | None:
        """Show the rule until it is confirmed; None for a person who thinks better of it."""
        stored, root = self._standing.permits, self._standing.root
        assert stored is not None
        example = "such as src/**" if rule.kind == "write" else "such as fewer words"
        other = "" if rule.kind == "test" else f", or another rule, {example}"
        while True:
            self._view.note(f"The rule: {rule}")
            self._view.note(f"It is kept for this project in {stored.file}; /permissions takes it back")
            line = await self._read_line(f"Store it? [a/n{other}] ")
            word = (line or "").strip()
            try:
                if word.lower() in ("a", "always", "y", "yes"):
                    stored.add(rule)
                    return Decision(True, "person")
                if word.lower() in ("", "n", "no"):
                    return None
                rule = permits.typed(word, question, root)
            except PunieError as error:
                self._view.error(error.message, error.hint)

    async def _edited(self, question: Question, text: str) -> Decision | None:
        """The person's own text, shown as a change of the model's; None where it is as before."""
        from punie_cli.chat.editor import edit_text

        path = str(question.args["path"])
        try:
            edited = await edit_text(text, PurePosixPath(path).suffix or ".txt")
        except PunieError as error:
            self._view.error(error.message, error.hint)
            return None
        if edited is None:
            self._view.note("the text is as it was")
            return None
        self._view.note("what you changed:")
        self._view.diff(diff(path, text, edited))
        return Decision(True, "person", edited=edited)

    def _no_rule(self) -> None:
        self._view.note("no rule can cover this: secrets, shell syntax, or what may run any program")

    def _nothing_to_edit(self) -> None:
        self._view.note("only a text that is written can be edited")

    def _help(self, question: Question, letters: list[str]) -> None:
        session = self._standing.for_session(question)
        for letter, meaning in _HELP.items():
            if letter in letters:
                self._view.note(f"{letter}  {meaning.format(session=session)}")
