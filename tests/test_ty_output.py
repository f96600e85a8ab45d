"""Reading what ty prints, and the text of a result."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from punie_cli.builtins.typecheck import Finding, parse_concise, parse_gitlab, result


def gitlab_entry(path: str, line: int, description: str, severity: str = "major") -> dict[str, Any]:
    begin = {"line": line, "column": 3}
    location = {"path": path, "positions": {"begin": begin, "end": begin}}
    return {"check_name": "x", "description": description, "severity": severity, "location": location}


def test_parse_gitlab() -> None:
    entries = [
        gitlab_entry("/srv/a.py", 1, "x: x: twice"),
        gitlab_entry("/elsewhere/a.py", 1, "no prefix", "minor"),
        gitlab_entry("b.py", 1, "x: unknown severity", "blocker"),
        gitlab_entry("b.py", 1, "x: note", "info"),
    ]
    assert parse_gitlab(json.dumps(entries), "/srv/") == [
        Finding(file="a.py", line=1, column=3, code="x", message="x: twice", severity="error"),
        Finding(file="/elsewhere/a.py", line=1, column=3, code="x", message="no prefix", severity="warning"),
        Finding(file="b.py", line=1, column=3, code="x", message="unknown severity", severity="error"),
        Finding(file="b.py", line=1, column=3, code="x", message="note", severity="info"),
    ]
    assert parse_gitlab("[" * 100_000, "/srv/") is None


def test_parse_concise() -> None:
    text = (
        "a b:1.py:7:3: error[invalid-argument-type] Expected `int`: found `str`\n"
        "/srv/c.py:1:1: warning[w] text\nerror[io] gone\nd.py:1:2: fatal[f] text\nFound 4 diagnostics\n"
    )
    assert parse_concise(text, "/srv/") == [
        Finding(
            file="a b:1.py",
            line=7,
            column=3,
            code="invalid-argument-type",
            message="Expected `int`: found `str`",
            severity="error",
        ),
        Finding(file="c.py", line=1, column=1, code="w", message="text", severity="warning"),
        Finding(file="", line=1, column=1, code="io", message="gone", severity="error"),
        Finding(file="d.py", line=1, column=2, code="f", message="text", severity="error"),
    ]


FINDINGS = st.builds(
    Finding,
    file=st.from_regex(r"[\w /.-]{1,20}", fullmatch=True),
    line=st.integers(1, 10**6),
    column=st.integers(1, 10**4),
    code=st.from_regex(r"[a-z][a-z-]{0,20}", fullmatch=True),
    message=st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=40),
    severity=st.sampled_from(["error", "warning", "info"]),
)


@given(st.lists(FINDINGS, max_size=6), st.data())
def test_parse_concise_reads_all_or_nothing(findings: list[Finding], data: st.DataObject) -> None:
    lines = [f"{f.file}:{f.line}:{f.column}: {f.severity}[{f.code}] {f.message}" for f in findings]
    number = len(findings)
    whole = [*lines, f"Found {number} diagnostic{'s' * (number != 1)}"] if number else ["All checks passed!"]
    assert parse_concise("\n".join(whole) + "\n", "//") == findings
    # A line lost or added never reads as another result.
    if number:
        lost = data.draw(st.integers(0, number))
        assert parse_concise("\n".join(whole[:lost] + whole[lost + 1 :]), "//") is None
        assert parse_concise("\n".join([data.draw(st.sampled_from(["noise", whole[0]])), *whole]), "//") is None


@given(st.text(max_size=60))
def test_noise_is_not_a_result(text: str) -> None:
    assert parse_concise(text, "//") is None
    assert parse_gitlab(text, "//") in (None, [])


def test_text_is_capped() -> None:
    errors = [
        Finding(file=f"m{n:02}.py", line=1, column=1, code="c", message=f"bad {n}", severity="error") for n in range(22)
    ]
    warning = Finding(file="w.py", line=1, column=1, code="c", message="odd", severity="warning")
    shown = "\n".join(f"m{n:02}.py:1: bad {n}" for n in range(20))
    assert str(result([warning, *reversed(errors)])) == (
        f"22 errors in 22 files\n{shown}\n(2 more errors not shown)\n1 warning in 1 file\n(1 more warning not shown)"
    )


def test_only_the_first_line_of_a_message_is_shown() -> None:
    finding = Finding(file="a.py", line=1, column=1, code="c", message="first\nsecond", severity="error")
    long = Finding(file="a.py", line=2, column=1, code="c", message="x" * 300, severity="error")
    assert str(finding) == "a.py:1: first"
    assert str(long) == f"a.py:2: {'x' * 240}…"
