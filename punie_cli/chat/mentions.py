"""`@path` in a message: what it is while it is typed, and the plain path that the model gets."""

import os
import re
from pathlib import Path

from punie_cli.confine import MAX_PATH

# Behind a letter it is an address, and behind another @ an operator of something.
_BEFORE = r"(?<![^\s(\[{\"'`])"
_TYPED = re.compile(_BEFORE + r"@(\"[^\"\n]*|[^\s\"@]*)\Z")
_SENT = re.compile(_BEFORE + r"@(?:\"([^\"\n]+)\"|([^\s\"@]+))")
# `a.py:12`, `a.py,` and `a.py's` name a.py.
_TAIL = re.compile(r"(?::\d+(?:[-:]\d+)?)?(?:['’]s)?[.,;:!?)\]}'`’”»]*\Z")
_DECORATOR = re.compile(r"[ \t]*@[\w.]+(?:\(.*\))?[ \t]*\n(?=[ \t]*(?:@\w|def\s|async\s|class\s))")


def typed(before: str) -> str | None:
    """What stands behind the `@` that the cursor is in; `before` is the text before the cursor. None for no `@`."""
    # No path is longer, and this is asked at each key.
    found = _TYPED.search(before.rpartition("\n")[2][-MAX_PATH:])
    return found[1] if found else None


def mention(path: str) -> str:
    """A path as it is written in a message."""
    return f'@"{path}"' if re.search(r"[\s@'`()\[\]{},;]", path) else f"@{path}"


def plain(text: str, root: Path) -> str:
    """The text with each `@path` of a file or folder that there is replaced by its path from `root`.

    All else stays: addresses, decorators, what is outside `root` or not there.
    """
    if "@" not in text:
        return text
    decorators = [found.span() for found in _DECORATOR.finditer(text)]

    def replace(found: re.Match[str]) -> str:
        if any(start <= found.start() < end for start, end in decorators):
            return found[0]
        if found[1] is not None:
            path = _inside(found[1], root)
            return found[0] if path is None else f'"{path}"'
        # The whole may be a name; a stop behind it is then part of it.
        for named in (found[2], _TAIL.sub("", found[2], count=1)):
            path = _inside(named, root)
            if named and path is not None:
                return path + found[2][len(named) :]
        return found[0]

    return _SENT.sub(replace, text)


def _inside(named: str, root: Path) -> str | None:
    """The path from `root`, with `/` at its end where there was one; None for one that is not there, or not inside."""
    path = os.path.normpath(os.path.join(root, named))  # noqa: PTH118
    inside = os.path.relpath(path, root)
    try:
        if inside.split(os.sep, 1)[0] == ".." or not os.path.lexists(path):
            return None
    except ValueError:
        return None
    return f"{inside}/" if named.endswith("/") and inside != "." else inside
