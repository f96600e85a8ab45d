"""What this machine can enclose commands with: each mechanism is tried with a real command, the best one is taken."""

import contextlib
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from punie_cli import paths, private
from punie_cli.enclosure import bubblewrap, seatbelt
from punie_cli.enclosure.places import Plan, make_plan

Mechanism = Literal["bubblewrap", "namespaces", "landlock", "seatbelt", "none"]
_ORDER: tuple[Mechanism, ...] = ("bubblewrap", "namespaces", "landlock")
LAUNCHER = Path(__file__).with_name("launcher.py")
_TRIAL_S = 20
_FORM = 1  # of the stored answer
_WORDS = {
    "write": "nothing is written outside the project and a temporary folder",
    "read": "keys and settings in the home are not read",
    "git": ".git is not written",
    "network": "no network",
    "processes": "nothing is left running",
}
# Says which of the things that must fail did fail; the last word shows that it ran to its end.
_TRIAL = """
import os, socket, sys
root, outside, secret, port = sys.argv[1:5]
def fails(act):
    try: act()
    except OSError: return True
    return False
def write(path):
    with open(path, "w") as file: file.write("x")
def connect():
    with socket.socket() as sock: sock.settimeout(5); sock.connect(("127.0.0.1", int(port)))
write(os.path.join(root, "made")); write(os.path.join(os.environ["TMPDIR"], "made"))
old, new = (fails(lambda: write(os.path.join(outside, name))) for name in ("kept", "new"))
print("write" * (old and new), "read" * fails(lambda: open(secret).close()),
      "git" * fails(lambda: write(os.path.join(root, ".git", "config"))), "network" * fails(connect), "end")
"""


@dataclass(frozen=True)
class Level:
    """A mechanism and what was seen to hold under it: write, read, git, network, processes."""

    mechanism: Mechanism
    holds: frozenset[str] = frozenset()
    program: str | None = None

    @property
    def encloses(self) -> bool:
        """Whether it keeps a command from writing outside; where not, everything is asked about."""
        return "write" in self.holds

    @property
    def text(self) -> str:
        """What it is and what it protects, for a person."""
        if self.mechanism == "none":
            return "none: commands and tests run as you do"
        held = [text for name, text in _WORDS.items() if name in self.holds]
        return f"{self.mechanism}: {', '.join(held) or 'nothing'}"

    @property
    def missing(self) -> str | None:
        """What does not hold, on one line; None where all does."""
        left = [name for name in _WORDS if name not in self.holds]
        if not self.encloses:
            return "commands and tests cannot be enclosed on this machine: everything is asked about"
        names = {
            "read": "keys in the home can be read",
            "git": ".git can be written",
            "network": "the network is open",
            "processes": "processes may be left running",
        }
        return "; ".join(names[name] for name in left) or None

    @property
    def hint(self) -> str | None:
        """How to get a better one."""
        return better() if self.missing else None

    def argv(self, plan: Plan, argv: list[str]) -> list[str]:
        """The command line that runs `argv` under the plan."""
        match self.mechanism:
            case "bubblewrap":
                return bubblewrap.bwrap_argv(self.program or "bwrap", plan, argv)
            case "namespaces" | "landlock":
                # Not the name in a virtual environment, whose settings would be looked for.
                start = [os.path.realpath(sys.executable), "-I", "-S", str(LAUNCHER)]
                mode = f"{self.mechanism}+network" if plan.network else self.mechanism
                return [*start, mode, *(f"{kind[0]}{place}" for place, kind in plan.rules), "--", *argv]
            case "seatbelt":
                return seatbelt.seatbelt_argv(plan, argv)
            case _:
                return argv


NONE = Level("none")


def better() -> str:
    """The command that gets this machine a better level."""
    if sys.platform != "linux":
        return "punie encloses commands on Linux and macOS"
    for tool, command in (
        ("apt-get", "sudo apt install bubblewrap"), ("dnf", "sudo dnf install bubblewrap"),
        ("pacman", "sudo pacman -S bubblewrap"), ("apk", "sudo apk add bubblewrap"),
        ("zypper", "sudo zypper install bubblewrap"),
    ):  # fmt: skip
        if shutil.which(tool):
            return command
    return "install bubblewrap"


def find_bwrap() -> str | None:
    """bubblewrap of the system: never one that a project put on PATH."""
    places = ("/usr/bin", "/usr/local/bin", "/bin", "/run/current-system/sw/bin", "/home/linuxbrew/.linuxbrew/bin")
    return shutil.which("bwrap", path=os.pathsep.join(places))


def level() -> Level:
    """The best level of this machine: from memory, from the cache of an earlier start, or tried now."""
    return _level(_fingerprint())


@functools.lru_cache(maxsize=4)
def _level(fingerprint: str) -> Level:
    file = paths.cache_dir() / "enclosure.json"
    try:
        stored = private.read_json(file)
        if stored.get("for") == fingerprint:
            return Level(stored["mechanism"], frozenset(stored["holds"]), stored["program"])
    except Exception:  # an unreadable cache is one that is not there
        pass
    found = probe()
    content: dict[str, Any] = {"for": fingerprint, "mechanism": found.mechanism}
    content |= {"holds": sorted(found.holds), "program": found.program}
    # Where it cannot be kept, the next start tries again.
    with contextlib.suppress(Exception):
        private.update_json(file, lambda _: content)
    return found


def probe() -> Level:
    """Try all that this system may have, without the cache; NONE where nothing keeps a command from writing outside."""
    for found in candidates():
        held = try_out(found)
        if "write" in held:
            return Level(found.mechanism, held, found.program)
    return NONE


def candidates() -> list[Level]:
    """What may work here, the best first; nothing is tried."""
    if sys.platform == "darwin":
        return [Level("seatbelt")]
    if sys.platform != "linux":
        return []
    bwrap = find_bwrap()
    return [Level(name, program=bwrap) for name in _ORDER if name != "bubblewrap" or bwrap]


def try_out(tried: Level) -> frozenset[str]:
    """What holds under a mechanism: one enclosed command tries what must fail; nothing where it does not run."""
    import socket

    with tempfile.TemporaryDirectory(prefix="punie-trial-") as scratch, socket.socket() as server:
        base = Path(os.path.realpath(scratch))
        root, outside, secret, tmp = (base / name for name in ("root", "outside", "secret", "tmp"))
        for folder in (root, outside, secret, tmp, root / ".git"):
            folder.mkdir()
        (root / ".git" / "config").write_text("kept")
        (outside / "kept").write_text("kept")
        (secret / "key").write_text("kept")
        server.bind(("127.0.0.1", 0))
        server.listen()
        plan = make_plan(root, tmp, needed=[outside], secrets=[secret])
        words = [sys.executable, "-I", "-S", "-c", _TRIAL, root, outside, secret / "key", server.getsockname()[1]]
        try:
            done = subprocess.run(
                tried.argv(plan, [str(word) for word in words]),
                cwd=root,
                env={"PATH": os.defpath, "TMPDIR": str(tmp)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_TRIAL_S,
            )
        except (OSError, subprocess.TimeoutExpired):
            return frozenset()
        said = done.stdout.split()
        # Not what it says alone: what is there afterwards.
        if done.returncode or said[-1:] != ["end"] or not (root / "made").exists() or not (tmp / "made").exists():
            return frozenset()
        held = set(said[:-1])
        if (outside / "kept").read_text() != "kept" or (outside / "new").exists():
            held.discard("write")
        if (root / ".git" / "config").read_text() != "kept":
            held.discard("git")
    return frozenset(held | ({"processes"} if tried.mechanism != "seatbelt" else set()))


def _fingerprint() -> str:
    """Changes with all that may change the level: kernel, its switches, bubblewrap, user, punie's own code."""
    parts = [platform.release(), platform.machine(), str(os.getuid()), sys.executable, str(_FORM)]
    for file in (find_bwrap(), *LAUNCHER.parent.glob("*.py")):
        if file is not None:
            state = Path(file).stat()
            parts.append(f"{file} {state.st_size} {state.st_mtime_ns}")
    for switch in (
        "kernel/unprivileged_userns_clone", "kernel/apparmor_restrict_unprivileged_userns",
        "user/max_user_namespaces", "kernel/random/boot_id",
    ):  # fmt: skip
        try:
            parts.append(Path("/proc/sys", switch).read_text(encoding="ascii"))
        except OSError:
            parts.append("")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
