"""What has no place in a row: secrets, paths of a person's machine, names and outputs that stand for real ones.

Covered: tokens of well-known services, private keys, passwords in URLs and assignments, home folders. Not covered: a
secret without a form of its own, and any name or address of a person.
"""

import re
from collections.abc import Iterator
from typing import Literal

Kind = Literal["secret", "home-path", "placeholder"]

_SECRETS = {
    "a private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----",
    "an AWS key": r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b",
    "a GitHub token": r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})",
    "a GitLab token": r"\bglpat-[A-Za-z0-9_-]{16,}",
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}",
    "an API key": r"\bsk-(?:ant-|proj-|live-)?[A-Za-z0-9_-]{20,}|\bsk_live_[A-Za-z0-9]{16,}|\bAIza[0-9A-Za-z_-]{35}",
    "a Slack token": r"\bxox[abprs]-[A-Za-z0-9-]{10,}",
    "a package index token": r"\b(?:pypi-AgE[A-Za-z0-9_-]{20,}|npm_[A-Za-z0-9]{30,})",
    "a JSON web token": r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    "a URL with a password": r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'{}<>]+:[^\s/@\"'{}<>]+@[^\s\"']+",
    "an e-mail address with a password": r"\b[\w.+-]+@[\w-]+\.[\w.]+[:;|,]\s?(?=\S*\d)(?=\S*[A-Za-z])[^\s\"']{8,}",
    "a password": (
        r"(?i)\b(?:password|passwd|secret|api_?key|access_?token|auth_?token)[\"']?\s*[:=]\s*[\"']"
        r"(?=[^\"']*\d)(?=[^\"']*[A-Za-z])[^\"'\s]{12,}[\"']"
    ),
}

_HOMES = re.compile(
    r"(?<![\w.])(?:/home/|/Users/|[A-Za-z]:\\{1,2}Users\\{1,2})(?!(?:user|you|me|name)\b)[A-Za-z0-9._-]+"
)
_NUMBERED = re.compile(
    r"\b(?:file|module|func|function|class|method|script|folder|dir|directory|example|sample|placeholder|project|"
    r"package|variable)_?\d+(?:\.\w+)?\b|\b(?:foo|bar|baz|qux)\.py\b",
    re.IGNORECASE,
)
_STANDS_FOR = re.compile(
    r"\s*(?:\.{3}|…|<[^<>\n]{0,60}>|\[[^\[\]\n]{0,60}(?:output|result|content|here)[^\[\]\n]{0,40}\]|"
    r"(?:sample|example|expected|placeholder|dummy|some) (?:output|result|content)s?\.?|todo)\s*",
    re.IGNORECASE,
)
_EACH = {name: re.compile(pattern) for name, pattern in _SECRETS.items()}
# One look for what few texts have: a character sequence that each pattern needs.
_HINT = re.compile(
    r"-----BEGIN|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|hf_|sk[-_]|AIza|xox|pypi-|npm_|eyJ|@|"
    r"(?i:passw|secret|api_?key|_?token)"
)


def secrets(text: str) -> Iterator[tuple[Kind, str]]:
    """Secrets and home paths in a text; of a secret only the first characters are given."""
    if _HINT.search(text):
        for name, pattern in _EACH.items():
            for match in pattern.finditer(text):
                yield "secret", f"{name}: {match[0][:6]!r}…"
    for match in _HOMES.finditer(text):
        yield "home-path", match[0]


def numbered_name(text: str) -> str | None:
    """The first name in a question or a program that nobody would give: `file1.py`, `function_2`."""
    match = _NUMBERED.search(text)
    return match[0] if match else None


def stands_for_output(text: str) -> bool:
    """Is this whole output a sign for one, such as `...` or `[output here]`?"""
    return _STANDS_FOR.fullmatch(text) is not None
