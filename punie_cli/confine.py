"""Paths that a program names: kept inside one root, opened without following a link that was swapped in.

Covered: `..`, absolute paths, symbolic links, links swapped between check and use, FIFOs and devices, names
that a terminal shows as something else. Not covered: hard links to files outside the root (a write never goes
through one).
"""

import contextlib
import difflib
import errno
import itertools
import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

MAX_PATH = 1024
SKIPPED_FOLDERS = frozenset({".git", ".venv", "node_modules", "__pycache__"})
_WALK_ENTRIES = 4000
_TEMPORARY = re.compile(r"\.punie-[0-9a-f]{16}\.tmp")


def check_text(path: object) -> str:
    """`path` itself; TypeError or ValueError for a name that no file of a project should have."""
    if type(path) is not str:
        raise TypeError(f"a path must be str, not {type(path).__name__}")
    if not path:
        raise ValueError("the path is empty")
    if len(path) > MAX_PATH:
        raise ValueError(f"the path is longer than {MAX_PATH} characters")
    for character in path:
        # Cc control, Cf bidirectional and zero-width, Cs half of a pair, Zl and Zp line ends.
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            raise ValueError(f"the path has the control character U+{ord(character):04X}")
    if "\\" in path:
        raise ValueError(f"'{path}' has a backslash; use /")
    if path.startswith("~"):
        raise ValueError(f"'{path}' is not expanded; give a path relative to the workspace")
    return path


def resolve(root: Path, path: str) -> str:
    """The real place of `path`, relative to `root` with `/` ("." for the root itself); it need not exist.

    `root` must be a real path. Raises PermissionError for a place outside `root`, OSError
    for a link that leads to itself.
    """
    # realpath, because `..` after a link means the parent of the link's target, as for the kernel.
    real = os.path.realpath(root / check_text(path))
    # What comes after a link that leads to itself is left as it is, and may be a link too.
    if os.path.realpath(real) != real:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    try:
        relative = Path(real).relative_to(root)
    except ValueError:
        raise PermissionError(f"'{path}' is outside the workspace") from None
    return relative.as_posix()


def missing(root: Path, path: str) -> FileNotFoundError:
    """The error for a path that is not there, naming up to three that are."""
    near = nearest(root, path)
    hint = f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else ""
    return FileNotFoundError(f"no file or folder '{path}'{hint}")


def nearest(root: Path, path: str, limit: int = 3) -> list[str]:
    """Existing paths that `path` may have meant: the same name elsewhere, else a similar spelling."""
    wanted = path.strip("/").removeprefix("./")
    name = wanted.rsplit("/", 1)[-1]
    known = list(walk(root))
    same = sorted((p for p in known if p.rsplit("/", 1)[-1] == name), key=lambda p: (p.count("/"), p))
    if same:
        # With folders given, the candidate that shares most of them is meant.
        closest = difflib.get_close_matches(wanted, same, n=limit, cutoff=0.0) if "/" in wanted else same
        return closest[:limit]
    by_path = difflib.get_close_matches(wanted, known, n=limit, cutoff=0.75)
    if by_path:
        return by_path
    names: dict[str, list[str]] = {}
    for candidate in known:
        names.setdefault(candidate.rsplit("/", 1)[-1], []).append(candidate)
    close = difflib.get_close_matches(name, list(names), n=limit, cutoff=0.75)
    return [candidate for match in close for candidate in sorted(names[match])][:limit]


def walk(root: Path, entries: int = _WALK_ENTRIES) -> Iterator[str]:
    """Relative paths of what is below `root`, nearest folders first, at most `entries` of them."""
    folders = [""]
    for folder in folders:  # grows while it is read: breadth first
        try:
            # By a descriptor: a folder may have become a link since it was listed.
            descriptor = open_folder(root, folder)
        except OSError:
            continue
        try:
            with os.scandir(descriptor) as scan:
                found = sorted(
                    (each.name, each.is_dir(follow_symlinks=False)) for each in itertools.islice(scan, entries)
                )
        except OSError:
            continue
        finally:
            os.close(descriptor)
        for name, is_folder in found:
            if name in SKIPPED_FOLDERS:
                continue
            entries -= 1
            if entries < 0:
                return
            relative = f"{folder}/{name}" if folder else name
            yield relative
            if is_folder:
                folders.append(relative)


def open_folder(root: Path, relative: str, *, make: bool = False) -> int:
    """Descriptor of a folder below `root`, walked one component at a time; `make` creates what is missing."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    descriptor = os.open(root, flags)
    try:
        for part in [] if relative in {"", "."} else relative.split("/"):
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
            try:
                inner = os.open(part, flags | os.O_NOFOLLOW, dir_fd=descriptor)
            except NotADirectoryError:
                raise NotADirectoryError(f"'{part}' in '{relative}' is not a folder") from None
            os.close(descriptor)
            descriptor = inner
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_bytes(root: Path, relative: str, limit: int) -> bytes:
    """Content of a regular file below `root`; ValueError over `limit` bytes."""
    folder, _, name = relative.rpartition("/")
    parent = open_folder(root, folder)
    try:
        # Before it is opened, because to open a device can do something; again after it, for what was swapped in.
        require_regular(os.stat(name or ".", dir_fd=parent, follow_symlinks=False), relative)
        # O_NONBLOCK: opening a FIFO must not wait for a writer.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        descriptor = os.open(name or ".", flags, dir_fd=parent)
    finally:
        os.close(parent)
    try:
        require_regular(os.fstat(descriptor), relative)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise ValueError(f"'{relative}' is larger than {limit // 1024} KiB, the most that can be read at once")
    return data


def require_regular(status: os.stat_result, relative: str) -> None:
    """IsADirectoryError or PermissionError unless `status` is that of a regular file."""
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(f"'{relative}' is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise PermissionError(f"'{relative}' is not a regular file")


def status(root: Path, relative: str) -> os.stat_result | None:
    """What is at a place below `root`, a link not followed; None for nothing.

    Raises NotADirectoryError where a folder on the way is a file or a link.
    """
    folder, _, name = relative.rpartition("/")
    try:
        parent = open_folder(root, folder)
    except FileNotFoundError:
        return None
    try:
        return os.stat(name or ".", dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return None
    finally:
        os.close(parent)


def remove(root: Path, relative: str) -> None:
    """Remove a regular file below `root`."""
    folder, _, name = relative.rpartition("/")
    parent = open_folder(root, folder)
    try:
        require_regular(os.stat(name, dir_fd=parent, follow_symlinks=False), relative)
        os.unlink(name, dir_fd=parent)
        os.fsync(parent)
    finally:
        os.close(parent)


def remove_leftovers(root: Path, relative: str) -> None:
    """Remove what killed writes left beside a file. Only while no other process writes there."""
    try:
        parent = open_folder(root, relative.rpartition("/")[0])
    except OSError:
        return
    try:
        with os.scandir(parent) as scan:
            left = [entry.name for entry in scan if _TEMPORARY.fullmatch(entry.name)]
        for name in left:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=parent)
    finally:
        os.close(parent)


def remove_folder(root: Path, relative: str) -> bool:
    """Remove a folder below `root` if it is empty; whether it was."""
    folder, _, name = relative.rpartition("/")
    try:
        parent = open_folder(root, folder)
    except OSError:
        return False
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError:
        return False
    finally:
        os.close(parent)
    return True


def replace_bytes(root: Path, relative: str, data: bytes, mode: int | None = None) -> None:
    """Write a whole file or nothing: a new file beside it, then a rename. Keeps the permission bits.

    Folders that are missing are made. A hard link elsewhere keeps the old content. `mode` is that of a new file.
    """
    folder, _, name = relative.rpartition("/")
    parent = open_folder(root, folder, make=True)
    temporary = f".punie-{os.urandom(8).hex()}.tmp"
    try:
        try:
            before = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            before = None
        if before is not None:
            require_regular(before, relative)
            if not os.access(name, os.W_OK, dir_fd=parent):
                raise PermissionError(f"'{relative}' is read-only")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(temporary, flags, 0o666, dir_fd=parent)
        except OSError as problem:
            # The name that the program knows, not that of the temporary file.
            raise type(problem)(problem.errno, problem.strerror, relative) from None
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                bits = mode if before is None else stat.S_IMODE(before.st_mode)
                if bits is not None:
                    os.fchmod(descriptor, bits & 0o777)
                os.fsync(descriptor)
            os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        except BaseException:
            os.unlink(temporary, dir_fd=parent)
            raise
        os.fsync(parent)
    finally:
        os.close(parent)
