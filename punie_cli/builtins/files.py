"""read_file and write_file: whole text files of the workspace, byte for byte."""

import difflib
from typing import Annotated

from punie_cli.builtins.registry import Result, builtin
from punie_cli.workspace import Question, Workspace, is_secret, visible

# difflib takes quadratic time: above this a change is shown as one block.
_DIFF_LINES = 2000


class WriteResult(Result):
    """What a write did: `created` a file, `changed` its content, or neither."""

    path: str
    lines: int
    created: bool
    changed: bool

    def __str__(self) -> str:
        verb = "created" if self.created else "wrote" if self.changed else "unchanged"
        return f"{verb} {self.path} ({_count(self.lines)})"


@builtin
async def read_file(workspace: Workspace, path: Annotated[str, "file, relative to the workspace"]) -> str:
    """read a text file

    UTF-8, at most 1 MiB; line ends come as they are. Asks before it reads a file that usually holds secrets
    (`.env*`, `*.pem`, `*.key`, `id_rsa*` and the like, `.netrc`, `.npmrc`, `.pypirc`, `.git/config`).
    """
    relative = workspace.resolve(path)
    if is_secret(relative) or is_secret(path):
        await workspace.require(Question("read_file", {"path": path}, f"read {visible(relative)}", rule="read"))
    return workspace.read_text(relative)


@builtin
async def write_file(
    workspace: Workspace,
    path: Annotated[str, "file, relative to the workspace; missing folders are made"],
    text: Annotated[str, "the whole new content"],
) -> WriteResult:
    """write a whole text file

    Asks first, with a diff, unless nothing would change in a file that holds no secrets. The file is replaced as a
    whole and keeps its mode; at most 2 MiB. Never writes `.git`, `.gitmodules` or `.punie`.
    """
    relative = workspace.resolve_new(path)
    before = _content(workspace, relative)
    # Of a secret file also whether a text equals it is an answer.
    if before != text or is_secret(relative) or is_secret(path):
        verb = "create" if before is None else "write"
        decision = await workspace.require(
            Question(
                "write_file",
                {"path": path, "text": text},
                f"{verb} {visible(relative)} ({_count(_lines_in(text))})",
                diff(relative, before, text),
                "write",
            )
        )
        # The answer was about this change, so the file must still be the one that the diff showed.
        if _content(workspace, relative) != before:
            raise OSError(f"'{relative}' changed while the question was open; read it again")
        text = text if decision.edited is None else decision.edited
        if before != text:
            await workspace.write_text(relative, text)
    return WriteResult(path=relative, lines=_lines_in(text), created=before is None, changed=before != text)


def diff(path: str, before: str | None, after: str | None) -> str:
    """A unified diff of a text file, control characters escaped; None for a file that is not there."""
    old, new = _lines(before or ""), _lines(after or "")
    names = ("/dev/null" if before is None else f"a/{path}", "/dev/null" if after is None else f"b/{path}")
    if len(old) + len(new) > _DIFF_LINES:
        head = [f"--- {names[0]}", f"+++ {names[1]}", f"@@ -1,{len(old)} +1,{len(new)} @@"]
        rows = [*head, *(f"-{line}" for line in old), *(f"+{line}" for line in new)]
    else:
        rows = list(difflib.unified_diff(old, new, *names, lineterm=""))
    return "".join(f"{visible(row)}\n" for row in rows)


def _lines(text: str) -> list[str]:
    *lines, last = text.split("\n")
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines


def _content(workspace: Workspace, relative: str) -> str | None:
    return workspace.read_text(relative) if workspace.exists(relative) else None


def _lines_in(text: str) -> int:
    return text.count("\n") + (text != "" and not text.endswith("\n"))


def _count(lines: int) -> str:
    return f"{lines} line" if lines == 1 else f"{lines} lines"
