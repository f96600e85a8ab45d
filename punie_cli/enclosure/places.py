"""Which places a command may write, may only read, and may not see: the plan that every mechanism carries out."""

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from punie_cli import paths
from punie_cli.approvals import PROTECTED

Kind = Literal["hide", "read", "write"]

# Below a home: keys, tokens, mail, histories, and programs' own settings, which may hold any of them.
SECRETS = (
    ".ssh", ".aws", ".config", ".gnupg", ".netrc", ".azure", ".kube", ".docker", ".npmrc", ".pypirc", ".pgpass",
    ".my.cnf", ".git-credentials", ".password-store", ".vault-token", ".terraform.d", ".mozilla", ".thunderbird",
    ".cargo/credentials", ".cargo/credentials.toml", ".gem/credentials", ".m2/settings.xml",
    ".gradle/gradle.properties",
    ".huggingface", ".cache/huggingface/token", ".local/share/keyrings", ".bash_history", ".zsh_history",
    ".python_history", ".psql_history", ".claude", ".codex", "Library/Keychains", "Library/Cookies", "Library/Mail",
    "Library/Messages", "Library/Safari", "Library/Application Support",
)  # fmt: skip
# Sockets through which other programs would do what a command may not: docker, the user's systemd, tmux, X11.
_SOCKETS = ("/run", "/tmp")
_RUN_KEPT = ("systemd/resolve", "current-system", "wrappers", "resolvconf", "NetworkManager/resolv.conf")
# What git acts on by itself: never writable, also for a command that may write the rest of .git.
GIT_ACTS_ON = ("config", "config.worktree", "hooks", "commondir", "info", "modules", "worktrees")


@dataclass(frozen=True)
class Plan:
    """`rules` go from the outside in, and the innermost that a path lies in counts; outside all, it is readable."""

    root: str
    tmp: str
    rules: tuple[tuple[str, Kind], ...]
    network: bool = False

    def kind(self, path: str) -> Kind:
        """What holds for a real path."""
        found: Kind = "read"
        for place, kind in self.rules:
            if _within(path, place):
                found = kind
        return found


def make_plan(
    root: Path,
    tmp: Path,
    *,
    network: bool = False,
    git: bool = False,
    needed: Iterable[str | Path] = (),
    secrets: Iterable[Path] = (),
) -> Plan:
    """The plan for one command. `git`: it may write .git, without what git acts on.

    `needed` stays readable within what is hidden; `secrets` are hidden besides.
    """
    real_root, real_tmp = os.path.realpath(root), os.path.realpath(tmp)
    rules: dict[str, Kind] = {}
    used = [os.path.realpath(place) for place in (Path.home(), sys.prefix, sys.base_prefix, *needed)]
    for place in [*hidden_places(real_root, used), *(os.path.realpath(each) for each in secrets)]:
        rules[place] = "hide"
    if sys.platform == "linux":
        used += [os.path.realpath(f"/run/{name}") for name in _RUN_KEPT]
    rules[real_root] = "write"
    rules[real_tmp] = "write"
    for name in protected(real_root, git=git):
        rules[os.path.join(real_root, name)] = "read"  # noqa: PTH118  (strings throughout)
    plan = Plan(real_root, real_tmp, _ordered(rules), network)
    for place in used:
        if os.path.lexists(place) and plan.kind(place) == "hide":
            rules[place] = "read"
    return Plan(real_root, real_tmp, _ordered(rules), network)


def hidden_places(root: str, used: Iterable[str] = ()) -> list[str]:
    """Real places that exist and are kept from commands; never one that is the workspace itself."""
    home = os.path.realpath(Path.home())
    places = [Path(home, name) for name in SECRETS]
    places += [paths.config_dir(), paths.data_dir(), paths.state_dir(), paths.cache_dir()]
    if sys.platform == "linux":
        places += [Path(name) for name in _SOCKETS]
    for parent in ("/home", "/Users"):
        try:
            places += [Path(entry.path) for entry in os.scandir(parent) if entry.name not in ("Shared", "linuxbrew")]
        except OSError:
            continue
    places.append(Path("/root"))
    inside = [home, root, *used]
    real = {os.path.realpath(place) for place in places if os.path.lexists(place)}
    others = {place for place in real if os.path.dirname(place) in ("/home", "/Users") or place == "/root"}  # noqa: PTH120
    # A home that the workspace or the interpreter lies in is in use.
    kept = {place for place in others if any(_within(each, place) for each in inside)}
    return sorted(place for place in real - kept if place not in (root, "/"))


def protected(root: str, *, git: bool = False) -> list[str]:
    """What is in the workspace and not to be written, relative to it: .git and punie's own, also one level down."""
    found = []
    folders = [""]
    try:
        with os.scandir(root) as entries:
            folders += [f"{entry.name}/" for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        pass
    for folder in folders:
        for name in sorted(PROTECTED):
            place = f"{root}/{folder}{name}"
            if not os.path.lexists(place) or os.path.islink(place):  # noqa: PTH114
                continue
            if git and name == ".git" and os.path.isdir(place):  # noqa: PTH112
                inner = [f"{folder}{name}/{each}" for each in GIT_ACTS_ON]
                found += [each for each in inner if os.path.lexists(f"{root}/{each}")]
            else:
                found.append(f"{folder}{name}")
    return found


def _ordered(rules: dict[str, Kind]) -> tuple[tuple[str, Kind], ...]:
    return tuple(sorted(rules.items(), key=lambda rule: (rule[0].count("/"), rule[0])))


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place.rstrip('/')}/")
