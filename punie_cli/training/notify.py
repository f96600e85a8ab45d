"""Tells a person that long work has ended, by the command in their settings."""

import shlex
import subprocess

_SECONDS = 30.0


def notify(command: str, text: str) -> str | None:
    """Run `command` with `text` as its last argument; what went wrong, None if nothing did."""
    try:
        done = subprocess.run(
            [*shlex.split(command), text],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_SECONDS,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return f"notify cannot be run: {error}"
    return f"notify ended with exit code {done.returncode}" if done.returncode else None
