"""What a tool said when it failed, on one line: the end of a run, its last words."""

import re

from punie_cli.workspace import Completed

_NOISE = re.compile(r"WARN |INFO |warning: |\w+ failed$|(\d+ )?\|")


def how_it_ended(done: Completed, tool: str, timeout_s: float, root: str) -> str | None:
    """Why this run tells nothing: too slow, too much text, a signal, an exit code above 2; None for 0, 1 and 2."""
    if done.timed_out:
        return f"{tool} took longer than {timeout_s:g} s"
    if done.truncated:
        return f"{tool} printed more than can be read"
    if done.exit_code < 0 or done.exit_code > 2:
        how = f"signal {-done.exit_code}" if done.exit_code < 0 else f"exit code {done.exit_code}"
        said = last_words(done.stderr, root)
        return f"{tool} ended with {how}" + (f": {said}" if said else "")
    return None


def last_words(text: str, root: str, lines: int = 6) -> str:
    """The last lines of what a tool said, on one line, without log lines, code frames and the root's own path."""
    said = [line.strip().removeprefix("Cause: ") for line in text.replace(root, "").splitlines()]
    return "; ".join([line for line in said if line and not _NOISE.match(line)][-lines:])[-600:]


def counted(number: int, word: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
