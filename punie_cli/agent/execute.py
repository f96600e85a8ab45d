"""Running one program: sandbox on one side, builtins on the other. Talking, row generation and evaluation share it."""

import builtins
from collections.abc import Callable
from typing import Any

from punie_cli.agent.events import Approved, Called, Event, Output
from punie_cli.agent.messages import Message, output
from punie_cli.builtins.registry import Registry
from punie_cli.sandbox.host import Turn
from punie_cli.workspace import Workspace

# Of an output, so many characters reach the model: about 2,000 tokens, 15 seconds of reading on two CPU cores.
SHOWN_CHARS = 6000
# The program went on as if its own text had been written.
EDITED = "(the user changed the text of {path} before it was written; read it again)"
# Mostly a replacement whose text is not in the file, by a program that does not look.
UNCHANGED = "({path} is unchanged: it had this text already)"


def _ignore(event: Event) -> None:
    pass


async def run_program(
    code: str, turn: Turn, registry: Registry, workspace: Workspace, note: Callable[[Event], None] = _ignore
) -> Output:
    """Run `code` in the turn's worker. `note` gets each approval and call as it happens, then the output."""

    said: list[str] = []
    unchanged: list[str] = []

    async def call(name: str, args: dict[str, Any]) -> dict[str, Any]:
        outcome = await registry.call(name, args, workspace)
        if outcome.approval:
            asked = outcome.approval
            note(Approved(asked.builtin, asked.args, asked.decision, asked.by, asked.edited))
            if asked.edited is not None and outcome.error is None:
                said.append(EDITED.format(path=asked.args["path"]))
        if outcome.ok and isinstance(outcome.result, dict) and outcome.result.get("changed") is False:
            unchanged.append(outcome.result["path"])
        note(Called(outcome.builtin, outcome.args, outcome.ok, outcome.result, outcome.error, outcome.seconds))
        return {"error": outcome.error} if outcome.error else {"ok": outcome.wire}

    done = await turn.run(code, call)
    error = None
    if done.error:
        error = {"kind": done.error.kind, "message": done.error.message, "line": done.error.line}
    said += [UNCHANGED.format(path=path) for path in unchanged if f"unchanged {path}" not in done.text]
    result = Output(_with_lines(done.text, said), error, done.truncated)
    note(result)
    return result


def _with_lines(text: str, lines: list[str]) -> str:
    if not lines:
        return text
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{end}" + "".join(f"{line}\n" for line in lines)


def as_message(result: Output) -> Message:
    """The output as the model reads it: the middle of a long one is left out, and that is said."""
    if result.error is None:
        return output(shorten(result.text))
    kind, message, line = (result.error[key] for key in ("kind", "message", "line"))
    # An error of a builtin says enough; any other is easier to mend with its line.
    place = f" (line {line})" if line is not None and not _from_builtin(kind) else ""
    return output(shorten(result.text), f"{kind}: {message}{place}")


def _from_builtin(kind: str) -> bool:
    known = getattr(builtins, kind, None)
    return isinstance(known, type) and issubclass(known, OSError)


def shorten(text: str, limit: int = SHOWN_CHARS) -> str:
    """Head and tail of a long text on whole lines, with the number of characters left out between them."""
    if len(text) <= limit:
        return text
    half = limit // 2
    head = text[:half].rpartition("\n")[0] or text[:half]
    tail = text[-half:].partition("\n")[2] or text[-half:]
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[... {left_out} characters left out ...]\n{tail}"
