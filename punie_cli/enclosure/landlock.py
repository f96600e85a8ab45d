"""Landlock and a filter of system calls: what a kernel gives to everybody, without any other program. Linux only.

Rights of Landlock only add up from a folder to what is in it. So what is hidden is never granted: the folders on the
way to it are granted entry by entry. Nothing inside a folder that is written can be kept from writing.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Callable

from punie_cli.sandbox import bpf

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same on every processor
_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REFER, _TRUNCATE, _IOCTL = 1, 2, 4, 8, 1 << 13, 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_MAKE = sum(1 << bit for bit in range(4, 13))
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "shm")

# socket, connect, truncate, then what is refused always: keys of the user's session, rings (they do calls that no
# filter sees), programs for the kernel, files by number.
_CALLS = {
    "x86_64": (41, 42, 76, (248, 249, 250, 425, 426, 427, 321, 304)),
    "aarch64": (198, 203, 45, (217, 218, 219, 425, 426, 427, 280, 265)),
}
_FAMILIES = (1, 16)  # AF_UNIX for pairs, AF_NETLINK for reading
# Rights of root that would lead past all this: modules, devices, mounts, tracing, raw network, clocks and the like.
_DROPPED = (2, 9, 12, 13, 14, 16, 17, 19, 20, 21, 22, 24, 25, 26, 27, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
_PR_CAPBSET_DROP = 24

Entries = Callable[[str], list[str]]


def version() -> int:
    """The version of Landlock that this kernel has; 0 without it."""
    return max(0, ctypes.CDLL(None).syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION)))


def enclose(rules: list[tuple[str, str]], *, network: bool) -> None:
    """Take from this process and all that it starts what the rules do not give. OSError where the kernel cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    abi = version()
    if not abi:
        raise OSError(errno.ENOSYS, "the kernel has no Landlock")
    handled = (1 << 13) - 1
    handled |= _REFER if abi >= 2 else 0
    handled |= _TRUNCATE if abi >= 3 else 0
    handled |= _IOCTL if abi >= 5 else 0
    tcp = 3 if abi >= 4 and not network else 0
    # Since version 6: no signals to processes outside, no connection to their abstract sockets.
    attributes = struct.pack("=QQQ", handled, tcp, 3 if abi >= 6 else 0)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = libc.syscall(_CREATE, attributes, ctypes.c_size_t(size), ctypes.c_uint(0))
    if ruleset < 0:
        raise _error("Landlock")
    for path, right in grants(rules):
        _add(libc, ruleset, path, right & handled)
    for name in _DEVICES:
        _add(libc, ruleset, f"/dev/{name}", (_READ | _WRITE_FILE | _MAKE | _TRUNCATE | _IOCTL) & handled)
    _add(libc, ruleset, "/dev", _READ_DIR)
    bpf.no_new_privileges()
    if os.geteuid() == 0:
        drop(_DROPPED)
    if libc.syscall(_RESTRICT, ruleset, ctypes.c_uint(0)):
        raise _error("Landlock")
    os.close(ruleset)
    filter_calls(network=network, truncate=abi >= 3)


def drop(capabilities: tuple[int, ...] | range) -> None:
    """Root only: what this process starts cannot have these."""
    libc = ctypes.CDLL(None)
    for number in capabilities:
        libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0)


def filter_calls(*, network: bool, truncate: bool = True) -> bool:
    """Refuse sockets of the network and what leads past Landlock; False where this processor's numbers are unknown."""
    machine = os.uname().machine
    if machine not in _CALLS:
        return False
    socket, connect, truncating, refused = _CALLS[machine]
    refuse: bpf.Step = (bpf.ANSWER, 0, 0, bpf.REFUSE)
    program: list[bpf.Step] = [
        (bpf.LOAD, 0, 0, bpf.ARCHITECTURE), (bpf.EQUAL, 1, 0, bpf.ARCHITECTURES[machine]), refuse,
        (bpf.LOAD, 0, 0, bpf.NUMBER), (bpf.AT_LEAST, 0, 1, 0x40000000), refuse,
    ]  # fmt: skip
    numbers = [*refused, *([] if truncate else [truncating]), *([] if network else [connect])]
    for number in numbers:
        program += [(bpf.EQUAL, 0, 1, number), refuse]
    if not network:
        program += [(bpf.EQUAL, 0, len(_FAMILIES) + 2, socket), (bpf.LOAD, 0, 0, bpf.FIRST_ARGUMENT)]
        program += [(bpf.EQUAL, len(_FAMILIES) - at, 0, family) for at, family in enumerate(_FAMILIES)]
        program += [refuse]
    return bpf.install([*program, (bpf.ANSWER, 0, 0, bpf.ALLOW)])


def grants(rules: list[tuple[str, str]], entries: Entries | None = None) -> list[tuple[str, int]]:
    """What to grant where, for rules from the outside in; what is in none may be read. `entries`: names in a folder."""
    kinds = {path: kind for kind, path in rules}
    above: set[str] = set()
    found: list[tuple[str, int]] = []
    for kind, path in rules:
        # A place that is written is granted as a whole, so what is only read in there changes nothing.
        if not (kind == "r" and _inherited(path, kinds) == "w"):
            above.update(_parents(path))
    _grant("/", "r", kinds, above, found, entries or _entries)
    return found


def _grant(
    path: str, kind: str, kinds: dict[str, str], above: set[str], found: list[tuple[str, int]], entries: Entries
) -> None:
    kind = kinds.get(path, kind)
    right = {"w": _READ | _WRITE_FILE | _MAKE | _REFER | _TRUNCATE | _IOCTL, "r": _READ, "h": 0}[kind]
    if path not in above:
        if right:
            found.append((path, right))
        return
    if kind == "h":
        names = [inner for inner in {*kinds, *above} if inner != path and _parent(inner) == path]
    else:
        names = [f"{path.rstrip('/')}/{name}" for name in entries(path)]
    for inner in names:
        # What a link leads to is granted where it is; /dev has grants of its own.
        if inner in kinds or inner in above or (inner != "/dev" and not os.path.islink(inner)):  # noqa: PTH114
            _grant(inner, kind, kinds, above, found, entries)


def _entries(folder: str) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def _inherited(path: str, kinds: dict[str, str]) -> str:
    return next((kinds[each] for each in _parents(path) if each in kinds), "r")


def _parents(path: str) -> list[str]:
    """The folders that a place lies in, the innermost first."""
    found = []
    while path != "/":
        path = _parent(path)
        found.append(path)
    return found


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "/"


def _add(libc: ctypes.CDLL, ruleset: int, path: str, right: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # gone, or out of reach anyway
    try:
        if not os.path.isdir(path):  # noqa: PTH112
            right &= _OF_FILES
        attributes = struct.pack("=Qi", right, place)
        if libc.syscall(_ADD, ruleset, ctypes.c_uint(_PATH_BENEATH), attributes, ctypes.c_uint(0)):
            raise _error(path)
    finally:
        os.close(place)


def _error(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)
