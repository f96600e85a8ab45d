"""Asks the person at the terminal before a program writes or runs something."""

import asyncio
from collections.abc import Awaitable, Callable

from punie_cli.approvals import Approver, Decision, Question
from punie_cli.render import View

ReadLine = Callable[[str], Awaitable[str | None]]

_HELP = "y: yes · n: no · n REASON: no, and the model is told why · s: yes to every {rule} of this session"


def person(view: View, read_line: ReadLine, allow: frozenset[str] = frozenset()) -> Approver:
    """An approver that shows each question with its diff; rules in `allow` are not asked about.

    `read_line` gets the text to show before the cursor; None from it, the end of input, is a no.
    """
    allowed = set(allow)
    # Questions of one program come one at a time; a second program must wait for the first answer.
    lock = asyncio.Lock()

    async def decide(question: Question) -> Decision:
        async with lock:
            if question.rule in allowed:
                return Decision(True, "rule")
            view.question(question)
            while True:
                line = await read_line("Allow it? [y/n/s/?] ")
                decision = read_answer(line)
                if decision is not None:
                    if line is not None and line.strip().lower() in ("s", "session"):
                        allowed.add(question.rule)
                    return decision
                view.note(_HELP.format(rule=question.rule))

    return decide


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
