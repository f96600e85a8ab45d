"""The profile of Seatbelt, the sandbox of macOS, for a plan. Checked here as text only: it never ran on a Mac."""

import os

from punie_cli.enclosure.places import Plan

SANDBOX_EXEC = "/usr/bin/sandbox-exec"
# Terminals and the usual devices; the last matching rule of a profile counts.
_START = """\
(version 1)
(allow default)
(deny file-write*)
(allow file-write* (literal "/dev/null") (literal "/dev/zero") (literal "/dev/tty") (regex #"^/dev/fd/"))
(deny process-info* (target others))
(deny signal (target others))
(allow signal (target same-sandbox))
(deny mach-register)
(deny appleevent-send)
"""
_NO_NETWORK = """\
(deny network*)
(allow network* (local unix-socket))
(deny network-outbound (remote unix-socket))
"""


def seatbelt_argv(plan: Plan, argv: list[str]) -> list[str]:
    """`sandbox-exec` with the whole profile as one word."""
    return [SANDBOX_EXEC, "-p", profile(plan), *argv]


def profile(plan: Plan) -> str:
    """Rules from the outside in. What is hidden can neither be read nor listed."""
    lines = [_START]
    for place, kind in plan.rules:
        where = f"({'subpath' if os.path.isdir(place) else 'literal'} {quoted(place)})"  # noqa: PTH112
        if kind == "hide":
            lines.append(f"(deny file-read* file-write* {where})\n")
        elif kind == "write":
            lines.append(f"(allow file-read* file-write* {where})\n")
        else:
            lines.append(f"(allow file-read* {where})\n(deny file-write* {where})\n")
    if not plan.network:
        lines.append(_NO_NETWORK)
    return "".join(lines)


def quoted(path: str) -> str:
    """A path as a string of the profile language."""
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
