"""What a command is known to need beyond the enclosure: the network, or to write .git. The question says so."""

import re
import shlex

# All of it, or with these words behind it.
_NETWORK: dict[str, frozenset[str] | None] = {
    "apt": None, "apt-get": None, "brew": None, "curl": None, "ftp": None, "gh": None, "nc": None, "ping": None,
    "rsync": None, "scp": None, "sftp": None, "ssh": None, "telnet": None, "twine": None, "wget": None,
    "bun": frozenset({"add", "install", "update"}),
    "bundle": frozenset({"install", "update"}),
    "cargo": frozenset({"add", "fetch", "install", "publish", "search", "update"}),
    "composer": frozenset({"install", "require", "update"}),
    "conda": frozenset({"create", "install", "search", "update"}),
    "gem": frozenset({"install", "push", "update"}),
    "git": frozenset({"clone", "fetch", "ls-remote", "pull", "push", "submodule"}),
    "go": frozenset({"get", "install", "mod"}),
    "hatch": frozenset({"env", "publish"}),
    "mamba": frozenset({"create", "install", "search", "update"}),
    "npm": frozenset({"add", "audit", "ci", "i", "install", "outdated", "publish", "update", "view"}),
    "pdm": frozenset({"add", "install", "lock", "publish", "sync", "update"}),
    "pip": frozenset({"download", "index", "install", "wheel"}),
    "pipx": frozenset({"install", "run", "upgrade"}),
    "pnpm": frozenset({"add", "i", "install", "update"}),
    "poetry": frozenset({"add", "install", "lock", "publish", "update"}),
    "punie": frozenset({"install", "models"}),
    "uv": frozenset({"add", "lock", "pip", "publish", "python", "sync", "tool"}),
    "uvx": None,
    "yarn": frozenset({"add", "install", "up", "upgrade"}),
}  # fmt: skip
# What changes the repository. What git acts on by itself (its configuration, hooks) stays read-only for these too.
_GIT_WRITES = frozenset({
    "add", "am", "apply", "branch", "checkout", "cherry-pick", "clean", "commit", "fetch", "init", "merge", "mv",
    "pull", "push", "rebase", "reset", "restore", "revert", "rm", "stash", "switch", "tag",
})  # fmt: skip
_PARTS = re.compile(r"&&|\|\||[;&|\n()`{}]|\$\(")
_STARTS = frozenset({"sudo", "env", "time", "exec", "command", "nohup", "then", "do", "else"})
_VERSION = re.compile(r"[\d.]+$")


def needs_network(command: str | list[str]) -> bool:
    """Whether a command line, or a command in one, is known to use the network."""
    return any(_uses_network(words) for words in _commands(command))


def writes_git(command: str | list[str]) -> bool:
    """Whether it is git alone with a word that changes the repository; a shell or an option in front rules that out."""
    words = list(command) if isinstance(command, list) else next(iter(_commands(command)), [])
    if isinstance(command, str) and _PARTS.search(command):
        return False
    return len(words) > 1 and words[0].rpartition("/")[2] == "git" and words[1] in _GIT_WRITES


def _uses_network(words: list[str]) -> bool:
    name = _VERSION.sub("", words[0].rpartition("/")[2])
    rest = [word for word in words[1:] if not word.startswith("-")]
    if name == "python" and words[1:2] == ["-m"] and len(words) > 2:
        name, rest = words[2], [word for word in words[3:] if not word.startswith("-")]
    if name in ("git", "cargo") and words[1:2] == ["-C"]:
        rest = rest[1:]
    if name not in _NETWORK:
        return False
    verbs = _NETWORK[name]
    return verbs is None or (bool(rest) and rest[0] in verbs)


def _commands(command: str | list[str]) -> list[list[str]]:
    """The words of each simple command, as far as a look at the text tells."""
    if not isinstance(command, str):
        # `sh -c TEXT` is looked into as well.
        inner = [part for word in command[2:3] if command[1:2] == ["-c"] for part in _commands(word)]
        return [list(command), *inner] if command else []
    found = []
    for part in _PARTS.split(command):
        try:
            words = shlex.split(part, comments=True)
        except ValueError:
            words = part.split()
        while words and (words[0] in _STARTS or re.match(r"\w+=", words[0])):
            words = words[1:]
        if words:
            found.append(words)
    return found
