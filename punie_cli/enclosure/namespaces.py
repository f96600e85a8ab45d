"""Namespaces of the launcher's own: what bubblewrap does, where the kernel lets anybody make them (Linux 5.12).

All is read-only but what is written, hidden places are empty, and processes and the network are the command's own.
"""

import ctypes
import errno
import fcntl
import os
import struct

from punie_cli.enclosure import landlock
from punie_cli.sandbox import bpf

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 1 << 17, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442  # the same on every processor
_AT_FDCWD, _EMPTY_PATH, _RECURSIVE = -100, 0x1000, 0x8000
_CLONE, _CLOEXEC = 1, 0o2000000
_FROM_EMPTY_PATH = 4
_READ_ONLY, _NOSUID, _NODEV = 1, 2, 4
_MS_NOSUID, _MS_NOEXEC, _MS_REC, _MS_SLAVE = 2, 8, 1 << 14, 1 << 19
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_AF_INET, _SOCK_DGRAM = 2, 2
# Of root's rights these stay: for files that belong to others.
_KEPT = {0, 1, 3, 4, 6, 7}

_libc = ctypes.CDLL(None, use_errno=True)


def enter(rules: list[tuple[str, str]], *, network: bool) -> None:
    """Leave for namespaces of its own, with the places as the rules say. OSError where that is not allowed."""
    folder = os.getcwd()  # noqa: PTH109
    wanted = _NEWNS | _NEWUTS | _NEWIPC | _NEWPID | (0 if network else _NEWNET)
    uid, gid = os.geteuid(), os.getegid()
    # Root needs no other user: files of others would be nobody's.
    if uid != 0 or _libc.unshare(wanted) != 0:
        _check(_libc.unshare(wanted | _NEWUSER), "namespaces")
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {uid} 1")
        _write("/proc/self/gid_map", f"{gid} {gid} 1")
    _mount(None, "/", None, _MS_REC | _MS_SLAVE)
    devices = [(f"/dev/{name}", _copy(f"/dev/{name}")) for name in _DEVICES if os.path.exists(f"/dev/{name}")]  # noqa: PTH110
    copies = {path: _copy(path) for kind, path in rules if kind != "h"}
    for kind, path in rules:
        if kind == "r":
            _set(copies[path], _READ_ONLY | _NOSUID)
    _set("/", _READ_ONLY | _NOSUID)
    emptied = []
    for kind, path in rules:
        if kind != "h":
            _place(copies[path], path)
        elif os.path.isdir(path):  # noqa: PTH112
            _mount("tmpfs", path, "tmpfs", _MS_NOSUID, "mode=1777" if path == "/tmp" else "mode=755")
            emptied.append(path)
        else:
            nothing = _copy("/dev/null")
            _set(nothing, _READ_ONLY | _NODEV)  # a device that cannot be opened
            _place(nothing, path)
    _make_devices(devices)
    for path in emptied:
        if path != "/tmp":
            _set(path, _READ_ONLY, recursive=False)
    if not network:
        _start_loopback()
    # The folder as it was still leads to the old mounts.
    os.chdir(folder)


def settle() -> None:
    """As process 1 of the new namespace: its /proc, then no right that could undo any of it."""
    try:  # noqa: SIM105  (contextlib is slow to import)
        _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NOEXEC)
    except OSError:
        pass  # within a container that hides parts of it: the old one shows processes, and gives no hold on them
    landlock.drop(tuple(number for number in range(64) if number not in _KEPT))
    bpf.no_new_privileges()
    if os.geteuid() != 0 or not _real_root():
        # Of a user namespace: none at all. Those of a process that is not root end with its exec anyway.
        landlock.drop(range(64))


def _real_root() -> bool:
    try:
        with open("/proc/self/uid_map", encoding="ascii") as file:  # noqa: PTH123
            return file.read().split()[-1] != "1"
    except OSError:
        return True


def _make_devices(devices: list[tuple[str, int]]) -> None:
    _mount("tmpfs", "/dev", "tmpfs", _MS_NOSUID, "mode=755")
    for path, copy in devices:
        _place(copy, path)
    for name in ("shm", "pts"):
        os.mkdir(f"/dev/{name}")  # noqa: PTH102
    os.chmod("/dev/shm", 0o1777)  # noqa: PTH101
    try:
        _mount("devpts", "/dev/pts", "devpts", _MS_NOSUID | _MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
        os.symlink("pts/ptmx", "/dev/ptmx")  # noqa: PTH211
    except OSError:
        pass  # no terminals in there
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(f"/proc/self/{target}", f"/dev/{name}")  # noqa: PTH211


def _start_loopback() -> None:
    """Servers and clients of one command find each other at 127.0.0.1."""
    # Through libc: the module socket is slow to import.
    sock = _libc.socket(_AF_INET, _SOCK_DGRAM, 0)
    try:
        answer = fcntl.ioctl(sock, _SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0))
        flags = struct.unpack("16sh22x", answer)[1]
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))
        os.close(sock)
    except (OSError, ValueError):
        pass


def _copy(path: str) -> int:
    flags = _CLONE | _CLOEXEC | _RECURSIVE
    return _check(_libc.syscall(_OPEN_TREE, _AT_FDCWD, os.fsencode(path), ctypes.c_uint(flags)), path)


def _place(copy: int, path: str) -> None:
    """Mount a copy at its path; inside an empty folder that is made first."""
    if not os.path.lexists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        if os.path.isdir(f"/proc/self/fd/{copy}"):  # noqa: PTH112
            os.mkdir(path)  # noqa: PTH102
        else:
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    moved = _libc.syscall(_MOVE_MOUNT, copy, b"", _AT_FDCWD, os.fsencode(path), ctypes.c_uint(_FROM_EMPTY_PATH))
    _check(moved, path)
    os.close(copy)


def _set(place: str | int, attributes: int, *, recursive: bool = True) -> None:
    flags = _RECURSIVE if recursive else 0
    folder, path = (_AT_FDCWD, os.fsencode(place)) if isinstance(place, str) else (place, b"")
    value = struct.pack("=QQQQ", attributes, 0, 0, 0)
    flags |= 0 if isinstance(place, str) else _EMPTY_PATH
    done = _libc.syscall(_MOUNT_SETATTR, folder, path, ctypes.c_uint(flags), value, ctypes.c_size_t(len(value)))
    _check(done, str(place))


def _mount(source: str | None, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    encoded = [None if each is None else os.fsencode(each) for each in (source, target, kind)]
    data = None if options is None else options.encode()
    _check(_libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), data), target)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number or errno.EPERM, os.strerror(number or errno.EPERM), what)
    return result
