"""Shell completion: the script of a shell, and the place where that shell looks for it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.shell_completion import get_completion_class

from punie_cli import private
from punie_cli.errors import PunieError, UsageError

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_PUNIE_COMPLETE"
_ADVICE = {
    "bash": "needs the package bash-completion; begins in a new shell",
    "zsh": "~/.zshrc needs, before compinit: fpath=({folder} $fpath)",
    "fish": "begins in a new shell",
}


@dataclass(frozen=True)
class Installed:
    """Where a script lies now, and what the person has yet to do."""

    file: Path
    advice: str


def script(command: Any, shell: str) -> str:
    """The script that a shell reads; `command` is the command line."""
    made = get_completion_class(shell)
    if made is None or shell not in SHELLS:
        raise UsageError(f"no completion for '{shell}'; there is: {', '.join(SHELLS)}", "punie completion bash")
    try:
        return made(command, {}, "punie", VARIABLE).source()
    except RuntimeError as error:
        # click looks at the version of bash.
        raise PunieError(f"{error}", "punie completion zsh") from error


def install(command: Any, shell: str) -> Installed:
    """Write the script where the shell looks for it. No other file of the shell is changed."""
    text, file = script(command, shell), _place(shell)
    try:
        private.replace(file, text, 0o644)
    except OSError as error:
        raise PunieError(f"{file} cannot be written: {error.strerror}", f"punie completion {shell}") from error
    return Installed(file, _ADVICE[shell].format(folder=file.parent))


def _place(shell: str) -> Path:
    home = Path.home()
    data = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    return {
        "bash": Path(os.environ.get("BASH_COMPLETION_USER_DIR") or data / "bash-completion") / "completions" / "punie",
        "zsh": data / "zsh" / "site-functions" / "_punie",
        "fish": config / "fish" / "completions" / "punie.fish",
    }[shell]
