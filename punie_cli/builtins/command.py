"""run_command: one command in the root of the workspace. Reading commands run at once, all others ask."""

import shlex
from typing import Annotated

from punie_cli import readonly
from punie_cli.builtins.registry import Result, builtin
from punie_cli.workspace import Question, Workspace, visible

MAX_TIMEOUT_S = 3600.0
SHELL = "/bin/sh"


class CommandResult(Result):
    """How a command ended; `exit_code` is negative for a signal. Each stream is kept up to 64 KiB."""

    success: bool
    exit_code: int
    stdout: str
    stderr: str
    timed_out: bool = False
    truncated: bool = False

    def __str__(self) -> str:
        parts = [text.rstrip("\n") for text in (self.stdout, self.stderr) if text.strip()]
        if self.timed_out:
            parts.append("stopped: it took too long")
        elif self.exit_code:
            parts.append(f"exit code {self.exit_code}")
        return "\n".join(parts) or "(no output)"


@builtin
async def run_command(
    workspace: Workspace,
    command: Annotated[str | list[str], "a command line, or a list of words that no shell reads"],
    timeout_s: Annotated[float, "seconds until it is killed with all that it started, at most 3600"] = 60,
) -> CommandResult:
    """run a command

    Runs in the root of the workspace without input. Commands that only read files of the workspace (ls, cat,
    grep, find, head, tail, wc and the like) run at once; all others ask. A string with shell syntax is run by
    `/bin/sh` and always asks. Raises FileNotFoundError for a command that does not exist.
    """
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise ValueError(f"timeout_s must be above 0 and at most {MAX_TIMEOUT_S:g}")
    words = readonly.split(command) if isinstance(command, str) else list(command)
    if words is not None:
        if not words or not words[0] or any("\0" in word for word in words):
            raise ValueError("the command is empty" if not words or not words[0] else "the command has a NUL character")
        argv = _found(words, workspace)
        quiet = readonly.allowed(words, workspace)
        if quiet is not None:
            argv = [argv[0], *quiet[1:]]
    else:
        argv, quiet = [SHELL, "-c", str(command)], None
    terms = workspace.terms(command)
    if quiet is None or terms.rule == "outside":
        text = command if isinstance(command, str) else " ".join(shlex.quote(word) for word in command)
        await workspace.require(
            Question(
                "run_command",
                {"command": command, "timeout_s": timeout_s},
                f"run {visible(text)}{terms.words}",
                rule=terms.rule,
            )
        )
    done = await workspace.run(argv, timeout_s=timeout_s, terms=terms)
    return CommandResult(
        success=done.exit_code == 0 and not done.timed_out,
        exit_code=done.exit_code,
        stdout=done.stdout,
        stderr=done.stderr,
        timed_out=done.timed_out,
        truncated=done.truncated,
    )


def _found(words: list[str], workspace: Workspace) -> list[str]:
    """`words` with the executable in full; FileNotFoundError names the way out."""
    name = words[0]
    if "/" in name:
        place = workspace.root / name
        if place.is_file():
            return [str(place), *words[1:]]
        raise FileNotFoundError(f"no command '{name}'")
    full = workspace.which(name)
    if full is not None:
        return [full, *words[1:]]
    if name == "cd":
        raise FileNotFoundError("no command 'cd'; every command starts in the root of the workspace")
    local = f".venv/bin/{name}"
    hint = f"; did you mean '{local}'?" if (workspace.root / local).is_file() else ""
    raise FileNotFoundError(f"no command '{name}'{hint}")
