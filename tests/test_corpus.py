"""The corpus in the sandbox: no hostile program reaches anything, every ordinary one prints exactly what it should."""

import asyncio
import json
import re
import socket
import struct
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from punie_cli.builtins.registry import Registry
from punie_cli.sandbox.facades import Importer, module_names
from punie_cli.sandbox.host import Sandbox
from punie_cli.workspace import Workspace, no_terminal
from tests import corpora
from tests.sandboxes import linux
from tests.stress import stress

ADVISORIES = (
    "CVE-2023-37271", "CVE-2023-41039", "CVE-2024-47532", "CVE-2025-22153", "CVE-2026-55830", "CVE-2026-76825",
    "release 8.5", "CVE-2025-5120", "CVE-2025-9959", "CVE-2025-14931", "CVE-2025-53109", "CVE-2025-53110",
    "CVE-2025-59536", "CVE-2026-25725",
)  # fmt: skip
HOSTILE = corpora.hostile()
FRAMES = tomllib.loads((corpora.FOLDER / "frames.toml").read_text("utf-8"))["frames"]


@pytest.fixture(scope="module")
def tight() -> Iterator[Sandbox]:
    box = Sandbox(Registry().specs(), corpora.LIMITS)
    yield box
    asyncio.run(box.close())


def test_the_corpus_is_whole() -> None:
    files, ordinary = corpora.ordinary()
    titles = [program.title for program in HOSTILE]
    assert len(titles) == len(set(titles)) >= 520
    assert len({program.kind for program in HOSTILE}) >= 20
    assert [name for name in ADVISORIES if not any(name in title for title in titles)] == []
    assert len({program.title for program in ordinary}) == len(ordinary) >= 210
    text = "\n".join(program.code for program in ordinary)
    imported = set(re.findall(r"^\s*(?:import|from) ([\w.]+(?:, \w+)*)", text, re.M))
    names = {name for group in imported for name in group.split(", ")}
    assert sorted(set(module_names(Importer(lambda text: None).modules)) - names) == []
    assert len(files) > 10


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="written for what Python 3.11 has to reach")
def test_the_attacks_work_in_plain_python(tmp_path: Path) -> None:
    """A hostile program that fails by itself would prove nothing."""
    root, outside = corpora.lay_out(tmp_path)
    attacks = [program for program in HOSTILE if program.plain]
    printed = corpora.in_plain_python([(corpora.fill(program.code, outside), []) for program in attacks], root)
    weak = [program.title for program, text in zip(attacks, printed, strict=True) if corpora.MARKER not in text]
    assert weak == []
    assert len(attacks) >= 260


@linux
async def test_no_hostile_program_reaches_anything(tight: Sandbox) -> None:
    async with await tight.turn():
        zygote = tight._zygote._process
    endings = await corpora.gather([corpora.run_hostile(tight, program) for program in HOSTILE])
    reached = {program.title: e.reached for program, e in zip(HOSTILE, endings, strict=True) if e.reached}
    assert reached == {}
    # Only those that use up what they can get, or crash the interpreter, cost a worker; none cost the zygote.
    killed = {program.kind for program, e in zip(HOSTILE, endings, strict=True) if e.how == "killed"}
    assert {kind for kind in killed if not kind.startswith("exhaustion")} == set()
    assert tight._zygote._process is zygote is not None
    assert zygote.poll() is None


async def test_every_ordinary_program_prints_exactly_its_output(sandbox: Sandbox, tmp_path: Path) -> None:
    files, programs = corpora.ordinary()
    done = await corpora.gather([corpora.run_ordinary(sandbox, files, program) for program in programs])
    wrong = {
        program.title: (output.text, output.error)
        for program, (output, _) in zip(programs, done, strict=True)
        if (output.text, output.error) != (program.output, None)
    }
    assert wrong == {}
    replayed = [(program.code, replies) for program, (_, replies) in zip(programs, done, strict=True)]
    plain = await asyncio.to_thread(corpora.in_plain_python, replayed, tmp_path)
    assert [p.title for p, text in zip(programs, plain, strict=True) if text != p.output] == []


@pytest.mark.parametrize("case", FRAMES, ids=[case["name"] for case in FRAMES])
async def test_forged_frames_do_no_harm(tight: Sandbox, tmp_path: Path, case: dict[str, Any]) -> None:
    root, outside = corpora.lay_out(tmp_path)
    before = corpora.contents(root), corpora.contents(outside)
    registry, workspace, calls = Registry(), Workspace(root, no_terminal()), []

    async def call(name: str, args: dict[str, Any]) -> dict[str, Any]:
        outcome = await registry.call(name, args, workspace)
        calls.append(outcome.result)
        return {"error": outcome.error} if outcome.error else {"ok": outcome.wire}

    async with await tight.turn() as turn:
        assert turn._socket is not None
        real, (ours, theirs) = turn._socket, socket.socketpair()
        ours.setblocking(False)
        turn._socket = ours
        sending = asyncio.create_task(asyncio.to_thread(_send, theirs, _bytes(case, outside)))
        output = await turn.run("pass", call)
        ours.close()
        theirs.close()
        real.close()
        await sending
        turn._socket = None
    assert (output.killed, "killed" if output.killed else "done") == (case["ends"] == "killed", case["ends"])
    assert corpora.TOKEN not in str((output, calls))
    assert len(str(output)) < corpora.LIMITS.output_bytes + 4000
    assert (corpora.contents(root), corpora.contents(outside)) == before
    async with await tight.turn() as again:
        assert (await again.run("print(6 * 7)", call)).text == "42\n"


def test_nothing_is_left_of_many_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The full size is benchmarks/sandbox_leaks.py."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert asyncio.run(stress(programs=60, turns=8)) == ([], [])
    assert [path.name for path in tmp_path.iterdir() if path.name != "punie-home"] == []


def _bytes(case: dict[str, Any], outside: Path) -> bytes:
    if "raw" in case:
        return bytes.fromhex(case["raw"].replace("@NEST@", (b"[" * 50_000 + b"]" * 50_000).hex()))
    texts = [corpora.fill(text, outside).replace("@LONG@", "x" * 10**6) for text in case["frames"]]
    frames = [text.encode("utf-8", "surrogatepass") for text in texts] * case.get("times", 1)
    assert all(json.loads(frame) is not ... for frame in frames)
    return b"".join(struct.pack(">I", len(frame)) + frame for frame in frames)


def _send(sock: socket.socket, data: bytes) -> None:
    """All of it, as long as someone takes it; answers are thrown away."""
    try:
        sock.settimeout(60)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
    except OSError:
        pass
