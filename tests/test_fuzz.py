"""What the fuzzers of tests/fuzz check, a little of it each time, and what they once found."""

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punie_cli.builtins.typecheck import parse_concise, parse_gitlab
from tests.fuzz import paths, protocol, replies, ty_output

INPUTS = st.binary(max_size=80)
# The policy's target changes its process for good, so it has one of its own.
_POLICY = """
import struct, sys
from tests.fuzz import policy
policy.prepare()
for seed in policy.seeds():
    policy.check(seed)
print("seeds passed", flush=True)
while size := sys.stdin.buffer.read(4):
    try:
        policy.check(sys.stdin.buffer.read(*struct.unpack(">I", size)))
        print("passed", flush=True)
    except BaseException as problem:
        print(repr(problem), flush=True)
"""


@pytest.fixture(scope="module")
def policy() -> Iterator[subprocess.Popen[bytes]]:
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-c", _POLICY]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=root, env={"PYTHONPATH": str(root)}) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def test_nothing_leads_out_of_a_program(policy: subprocess.Popen[bytes]) -> None:
    assert _line(policy) == "seeds passed"

    @settings(max_examples=300)
    @given(kind=st.sampled_from([b"\0", b"\1", b"\2"]), data=st.binary(min_size=20, max_size=120))
    def programs(kind: bytes, data: bytes) -> None:
        assert policy.stdin is not None
        policy.stdin.write(struct.pack(">I", 1 + len(data)) + kind + data)
        policy.stdin.flush()
        assert _line(policy) == "passed"

    programs()


@settings(max_examples=150)
@given(INPUTS)
def test_frames_never_raise(data: bytes) -> None:
    protocol.check(data)


@settings(max_examples=150)
@given(INPUTS)
def test_paths_stay_inside(data: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        paths.check(data)


@settings(max_examples=300)
@given(INPUTS)
def test_ty_output_is_findings_or_nothing(data: bytes) -> None:
    ty_output.check(data)


@settings(max_examples=300)
@given(INPUTS)
def test_replies_are_steps(data: bytes) -> None:
    replies.check(data)


@pytest.mark.parametrize("target", [protocol, paths, ty_output, replies])
def test_the_seeds_pass(target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    for seed in target.seeds():
        target.check(seed)


# Findings


@pytest.mark.parametrize(
    "text",
    [
        '[{"check_name": "x", "description": 7, "severity": "major", "location": {"path": "a.py", "positions": '
        '{"begin": {"line": 1, "column": 1}}}}]',
        '[{"check_name": "x", "description": "x", "severity": "major", "location": {"path": null, "positions": '
        '{"begin": {"line": 1, "column": 1}}}}]',
    ],
)
def test_a_report_with_a_number_for_a_text(text: str) -> None:
    assert parse_gitlab(text, "/srv/") is None


def test_a_line_number_that_is_none() -> None:
    assert parse_concise(f"a.py:{'9' * 5000}:1: error[x] wrong\nFound 1 diagnostic\n", "/srv/") is None
    assert parse_concise(f"a.py:1:1: error[x] wrong\nFound {'0' * 5000}1 diagnostics\n", "/srv/") is None
