"""Paths that a program names, and a folder that changes under them: nothing outside the root is read or written."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from punie_cli import confine
from punie_cli.workspace import Workspace
from tests.fuzz.drawing import Draw

OUTSIDE = b"outside"
_PARTS = (
    "in", "deep", "file", "new", "up", "out", "abs", "chain", "dangling", "self", "pipe", "..", ".", "", "root",
    "root_evil", ".git", ".GIT", ".gitmodules", ".punie", "hard", "ﬁle", "in ", "file.", "%2e%2e", "～", "~", "\\",
    "\0", "\n", "\u202e", "\ud800", "a" * 255, "é",
)  # fmt: skip


def seeds() -> list[bytes]:
    """One path of each part, then longer ones, with each change in between."""
    return [bytes([n % 6, 0, 1, n, n % 4]) for n in range(len(_PARTS))] + [
        bytes([n % 6, n % 3, 4, *range(n, n + 5), n % 7]) for n in range(60)
    ]


def lay_out(base: Path) -> Path:
    """A root with links of every kind, beside what must not be reached."""
    for folder in ("root/in/deep", "root_evil/in/deep", "root/.git"):
        (base / folder).mkdir(parents=True)
    for folder in ("", "in", "in/deep"):
        here = base / "root" / folder
        (here / "file").write_bytes(b"inside")
        (here / "up").symlink_to("..")
        (here / "out").symlink_to("../../root_evil")
        (here / "abs").symlink_to(base / "root_evil")
        (here / "chain").symlink_to("up/out")
        (here / "dangling").symlink_to("../../root_evil/new")
        (here / "self").symlink_to("self")
        os.mkfifo(here / "pipe")
    for folder in ("", "root_evil", "root_evil/in", "root_evil/in/deep"):
        (base / folder / "file").write_bytes(OUTSIDE)
    return base / "root"


class _Place:
    def __init__(self) -> None:
        self.base = Path(os.path.realpath(tempfile.mkdtemp(prefix="punie-fuzz-")))
        atexit.register(shutil.rmtree, self.base, ignore_errors=True)
        self.fresh()

    def fresh(self) -> None:
        shutil.rmtree(self.base, ignore_errors=True)
        self.root = lay_out(self.base)
        self.before = self.outside()

    def outside(self) -> dict[str, object]:
        """All that is not below the root, with what it holds."""
        found: dict[str, object] = {}
        for folder, folders, files in os.walk(self.base):
            if folder == str(self.base):
                folders.remove("root")
            found[folder] = sorted(folders)
            for name in files:
                path = Path(folder, name)
                found[str(path)] = (path.read_bytes(), path.stat().st_mode)
        return found


_place: list[_Place] = []


def prepare() -> None:
    """Nothing waits for the disk."""
    setattr(os, "fsync", lambda descriptor: None)  # noqa: B010  (a patch)


def check(data: bytes) -> None:
    """The property."""
    if not _place:
        _place.append(_Place())
    place, draw = _place[0], Draw(data)
    act, change, path = draw.below(6), draw.below(12), _path(draw, place.base)
    if _act(place, act, _change(place, change), path):
        after = place.outside()
        place.fresh()
        assert after == place.before, f"{path!r} changed something outside"


def _path(draw: Draw, base: Path) -> str:
    if draw.below(8) == 7:
        return draw.rest().decode("utf-8", "surrogateescape")
    path = "/".join(draw.pick(_PARTS) for _ in range(1 + draw.below(8)))
    return draw.pick(("", "", "", "/", f"{base}/root/", f"{base}/", "./", "//"))[:1024] + path


def _change(place: _Place, kind: int) -> Callable[[], None] | None:
    """What happens between the look at a path and its use."""
    inside, evil = place.root / "in", place.base / "root_evil"

    def swap() -> None:
        shutil.rmtree(inside)
        inside.symlink_to(evil / "in")

    def swap_file() -> None:
        (place.root / "file").unlink()
        (place.root / "file").symlink_to(evil / "file")

    def swap_deep() -> None:
        shutil.rmtree(inside / "deep")
        (inside / "deep").symlink_to(evil)

    def fifo() -> None:
        (place.root / "file").unlink()
        os.mkfifo(place.root / "file")

    return {8: swap, 9: swap_file, 10: swap_deep, 11: fifo}.get(kind)


def _act(place: _Place, act: int, change: Callable[[], None] | None, path: str) -> bool:
    """Whether something may have been changed."""
    workspace = Workspace(place.root)
    try:
        relative = workspace.resolve_new(path) if act in (2, 3, 4) else workspace.resolve(path, exists=False)
    except (OSError, ValueError):
        return False
    inside = os.path.realpath(place.root / relative)
    assert inside == str(place.root) or inside.startswith(f"{place.root}/"), path
    assert not relative.startswith(("/", "../")) and relative != ".."
    if act in (2, 3, 4):
        assert not {".git", ".gitmodules", ".punie"} & set(relative.casefold().split("/")), path
    if change:
        change()
    try:
        if act < 2:
            assert OUTSIDE not in confine.read_bytes(place.root, relative, 100), path
        elif act == 2:
            confine.replace_bytes(place.root, relative, b"written")
        elif act == 3:
            confine.remove(place.root, relative)
        elif act == 4:
            confine.remove_folder(place.root, relative)
        else:
            os.close(confine.open_folder(place.root, relative, make=True))
    except (OSError, ValueError):
        # Folders that were made stay.
        return bool(change) or act in (2, 5)
    return bool(change) or act >= 2
