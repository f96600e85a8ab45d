"""Frames of a worker that is no longer ours: the parent's reader gives an output, whatever comes, and never raises.

What the frames call are the real read_file and write_file in a folder with links that lead out of it.
"""

import asyncio
import atexit
import copy
import json
import shutil
import socket
import struct
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from punie_cli.builtins.registry import Registry
from punie_cli.sandbox.host import Limits, ProgramError, ProgramOutput, Turn, _Zygote
from punie_cli.workspace import Workspace, no_terminal
from tests import corpora
from tests.fuzz.drawing import Draw

LIMITS = Limits(wall_s=30, output_bytes=400, output_total=4000, calls=5)
_FRAMES = (
    {"out": "text"}, {"done": None}, {"done": {"kind": "ValueError", "message": "m", "line": 1}},
    {"call": "read_file", "args": {"path": "notes.md"}},
    {"call": "write_file", "args": {"path": "new.txt", "text": "x"}},
    {"call": "typecheck", "args": {}}, {"ok": 1}, {}, [],
)  # fmt: skip
_ODD = (
    None, True, 0, -1, 2**70, 1e999, "", "x", "../outside/canary.txt", "linked/canary.txt", "/etc/passwd", "a\ud800",
    "x" * 3000, [], [1], {}, {"path": 1}, {"path": "notes.md", "more": 1}, "read_file", "__class__", ".git/config",
)  # fmt: skip
_KEYS = ("out", "call", "args", "done", "kind", "message", "line", "path", "text", "ok", "")


class _Nobody(_Zygote):
    """There is no process behind these frames."""

    def reap(self, pid: int) -> int | None:
        return None


_registry = Registry(["read_file", "write_file"])


@cache
def _place() -> tuple[Path, Path, dict[str, str]]:
    """The folder that calls work in, the one that they must not reach, and what is in that."""
    base = Path(tempfile.mkdtemp(prefix="punie-fuzz-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    root, outside = corpora.lay_out(base)
    return root, outside, corpora.contents(outside)


def seeds() -> list[bytes]:
    """Each kind of frame alone, then changed ones, then raw bytes."""
    whole = [bytes([1, 1, n, 0]) for n in range(len(_FRAMES))]
    changed = [bytes([1, 3, n, 1, n, k, n + k, 1, 0]) for n in range(len(_FRAMES)) for k in range(3)]
    raw = [b"\0" + struct.pack(">I", len(text)) + text for text in (b'{"out": "a"}', b'{"done": null}', b"[", b"\xff")]
    return [*whole, *changed, *raw, b"\0\xff\xff\xff\xff", b"\0"]


def check(data: bytes) -> None:
    """The property."""
    asyncio.run(_check(sent(data)))


def sent(data: bytes) -> bytes:
    """What the worker writes into its socket."""
    draw = Draw(data)
    if draw.below(2) == 0:
        return draw.rest()
    parts = []
    for _ in range(draw.below(12)):
        text = json.dumps(_frame(draw)).encode()
        if draw.below(8) == 7:
            text = text[: draw.below(40)] + bytes([draw.below(256)])
        size = len(text) + (draw.below(5) - 2 if draw.below(16) == 15 else 0)
        parts.append(struct.pack(">I", max(size, 0)) + text)
    return b"".join(parts)


def _frame(draw: Draw) -> Any:
    frame: Any = copy.deepcopy(draw.pick(_FRAMES))
    for _ in range(draw.below(4)):
        place = frame
        while (
            isinstance(place, dict) and (inner := [v for v in place.values() if isinstance(v, dict)]) and draw.below(2)
        ):
            place = inner[0]
        if not isinstance(place, dict):
            return copy.deepcopy(draw.pick(_ODD))
        key = draw.pick([*place, *_KEYS])
        if draw.below(4):
            place[key] = copy.deepcopy(draw.pick(_ODD))
        else:
            place.pop(key, None)
    return frame


async def _check(frames: bytes) -> None:
    root, outside, before = _place()
    workspace = Workspace(root, no_terminal(frozenset({"write"})))
    told: list[Any] = []

    async def call(name: str, args: dict[str, Any]) -> dict[str, Any]:
        assert type(name) is str and type(args) is dict and all(type(key) is str for key in args)
        json.dumps([name, args]).encode("utf-8")  # the store takes it
        outcome = await _registry.call(name, args, workspace)
        told.append(outcome.error or outcome.wire)
        return {"error": outcome.error} if outcome.error else {"ok": outcome.wire}

    turn = Turn(_Nobody(), [], LIMITS)
    turn._socket, theirs = socket.socketpair()
    turn._socket.setblocking(False)
    with theirs:
        theirs.setblocking(False)
        theirs.sendall(frames[:60_000])
        theirs.shutdown(socket.SHUT_WR)
        output = await turn.run("pass", call)
    await turn.close()
    assert type(output) is ProgramOutput and type(output.text) is str
    assert len(output.text) < LIMITS.output_bytes + 100
    output.text.encode("utf-8")
    if output.error is not None:
        assert type(output.error) is ProgramError
        assert len(output.error.kind) <= 200 and len(output.error.message) <= 2000
        (output.error.kind + output.error.message).encode("utf-8")
        assert output.error.line is None or isinstance(output.error.line, int)
    assert len(told) <= LIMITS.calls
    assert corpora.TOKEN not in str((output, told))
    assert corpora.contents(outside) == before
