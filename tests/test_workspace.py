"""Path confinement, nearest names, approvals."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli import confine
from punie_cli.approvals import is_protected, is_secret
from punie_cli.workspace import Decision, Question, Workspace, no_terminal, refusal, visible


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A project with a folder, links that stay inside and links that lead out."""
    root = tmp_path / "project"
    (root / "shop").mkdir(parents=True)
    (root / "tests").mkdir()
    (root / "shop" / "cart.py").write_text("total = 1\n")
    (root / "shop" / "models.py").write_text("")
    (root / "notes.txt").write_text("one\n")
    (root / "link.py").symlink_to("shop/cart.py")
    (root / "alias").symlink_to("shop")
    (root / "passwd").symlink_to("/etc/passwd")
    (root / "up").symlink_to("..")
    (root / "loop").symlink_to("loop")
    (tmp_path / "project_evil").mkdir()
    (tmp_path / "project_evil" / "x.py").write_text("")
    (tmp_path / "secret.txt").write_text("outside\n")
    return Workspace(root)


@pytest.mark.parametrize(
    ("path", "relative"),
    [
        (".", "."),
        ("shop", "shop"),
        ("shop/", "shop"),
        ("./shop/cart.py", "shop/cart.py"),
        ("shop/../notes.txt", "notes.txt"),
        ("link.py", "shop/cart.py"),
        ("alias/cart.py", "shop/cart.py"),
        # After a link `..` is the parent of its target.
        ("alias/../notes.txt", "notes.txt"),
        ("up/project/notes.txt", "notes.txt"),
    ],
)
def test_resolve(workspace: Workspace, path: str, relative: str) -> None:
    assert workspace.resolve(path) == relative
    assert workspace.resolve(str(workspace.root / path)) == relative


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("..", PermissionError("'..' is outside the workspace")),
        ("../secret.txt", PermissionError("'../secret.txt' is outside the workspace")),
        ("../project_evil/x.py", PermissionError("'../project_evil/x.py' is outside the workspace")),
        ("/etc/passwd", PermissionError("'/etc/passwd' is outside the workspace")),
        ("/", PermissionError("'/' is outside the workspace")),
        ("passwd", PermissionError("'passwd' is outside the workspace")),
        ("up/secret.txt", PermissionError("'up/secret.txt' is outside the workspace")),
        ("shop/../../secret.txt", PermissionError("'shop/../../secret.txt' is outside the workspace")),
        ("~/x", ValueError("'~/x' is not expanded; give a path relative to the workspace")),
        ("a\\b", ValueError("'a\\b' has a backslash; use /")),
        ("", ValueError("the path is empty")),
        ("a" * 1025, ValueError("the path is longer than 1024 characters")),
        ("a\nb", ValueError("the path has the control character U+000A")),
        ("a\0b", ValueError("the path has the control character U+0000")),
        ("a\u202eyp.b", ValueError("the path has the control character U+202E")),
        ("a\u200bb", ValueError("the path has the control character U+200B")),
        ("a\ud800", ValueError("the path has the control character U+D800")),
        (3, TypeError("a path must be str, not int")),
    ],
)
def test_resolve_refuses(workspace: Workspace, path: str, error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        workspace.resolve(path, exists=False)
    assert str(caught.value) == str(error)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("cart.py", "no file or folder 'cart.py'; did you mean 'shop/cart.py'?"),
        ("src/cart.py", "no file or folder 'src/cart.py'; did you mean 'shop/cart.py'?"),
        ("shop/crat.py", "no file or folder 'shop/crat.py'; did you mean 'shop/cart.py'?"),
        ("note.txt", "no file or folder 'note.txt'; did you mean 'notes.txt'?"),
        ("model.py", "no file or folder 'model.py'; did you mean 'shop/models.py'?"),
        ("shops", "no file or folder 'shops'; did you mean 'shop'?"),
        ("notes.txt/x", "no file or folder 'notes.txt/x'; did you mean 'notes.txt'?"),
        ("zzz.json", "no file or folder 'zzz.json'"),
    ],
)
def test_missing_path_names_the_nearest(workspace: Workspace, path: str, message: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        workspace.resolve(path)
    assert str(caught.value) == message


def test_nearest_names_several_and_skips_tool_folders(workspace: Workspace) -> None:
    for folder in ("api", "web", ".venv/lib", "node_modules/a", ".git"):
        (workspace.root / folder).mkdir(parents=True)
        (workspace.root / folder / "views.py").write_text("")
    with pytest.raises(FileNotFoundError) as caught:
        workspace.resolve("views.py")
    assert str(caught.value) == "no file or folder 'views.py'; did you mean 'api/views.py' or 'web/views.py'?"


@pytest.mark.parametrize("path", ["notes.txt/new.txt", "notes.txt/a/b/new.txt"])
def test_a_file_is_no_folder(workspace: Workspace, path: str) -> None:
    with pytest.raises(NotADirectoryError) as caught:
        workspace.resolve_new(path)
    assert str(caught.value) == "'notes.txt' is not a folder"


@pytest.mark.parametrize(
    "path",
    [
        ".git/hooks/pre-commit",
        ".GIT/config",
        "sub/.git",
        ".gitmodules",
        ".punie/config.toml",
        "shop/../.git/x",
    ],
)
def test_protected_paths_are_never_written(workspace: Workspace, path: str) -> None:
    with pytest.raises(PermissionError) as caught:
        workspace.resolve_new(path)
    assert str(caught.value) == f"'{path}' is protected; programs cannot write it"


def test_a_git_link_does_not_open_what_it_points_at(workspace: Workspace) -> None:
    (workspace.root / "gitdir").mkdir()
    (workspace.root / ".git").symlink_to("gitdir")
    with pytest.raises(PermissionError):
        workspace.resolve_new(".git/config")


def test_own_settings_are_protected_in_a_home_folder(tmp_path: Path) -> None:
    with pytest.raises(PermissionError):
        Workspace(tmp_path).resolve_new("punie-home/config/config.toml")
    # A workspace inside the data folder (a run's own files) is writable.
    inside = tmp_path / "punie-home" / "data" / "runs" / "work"
    inside.mkdir(parents=True)
    assert Workspace(inside).resolve_new("a.py") == "a.py"


def test_read_text(workspace: Workspace) -> None:
    root = workspace.root
    os.mkfifo(root / "pipe")
    (root / "latin.txt").write_bytes(b"caf\xe9\n")
    (root / "nul.bin").write_bytes(b"a\0b")
    (root / "big.txt").write_bytes(b"x" * (1024 * 1024 + 1))
    (root / "full.txt").write_bytes(b"x" * (1024 * 1024))
    (root / "bom.txt").write_bytes(b"\xef\xbb\xbfa\r\nb\rc")
    errors = {}
    for name in ("shop", ".", "pipe", "latin.txt", "nul.bin", "big.txt", "loop"):
        with pytest.raises((OSError, ValueError)) as caught:
            workspace.read_text(name)
        errors[name] = (type(caught.value), str(caught.value))
    loop = errors.pop("loop")
    assert issubclass(loop[0], OSError)
    assert errors == {
        "shop": (IsADirectoryError, "'shop' is a folder"),
        ".": (IsADirectoryError, "'.' is a folder"),
        "pipe": (PermissionError, "'pipe' is not a regular file"),
        "latin.txt": (ValueError, "'latin.txt' is not a text file (UTF-8)"),
        "nul.bin": (ValueError, "'nul.bin' is not a text file (UTF-8)"),
        "big.txt": (ValueError, "'big.txt' is larger than 1024 KiB, the most that can be read at once"),
    }
    assert len(workspace.read_text("full.txt")) == 1024 * 1024
    assert workspace.read_text("bom.txt") == "\ufeffa\r\nb\rc"


async def test_write_keeps_mode_and_hard_links_elsewhere(workspace: Workspace, tmp_path: Path) -> None:
    script = workspace.root / "run.sh"
    script.write_text("old\n")
    script.chmod(0o755)
    os.link(script, tmp_path / "twin")
    await workspace.write_text("run.sh", "new\n")
    assert (script.read_text(), script.stat().st_mode & 0o777) == ("new\n", 0o755)
    assert (tmp_path / "twin").read_text() == "old\n"


async def test_write_through_a_link_replaces_its_target(workspace: Workspace) -> None:
    await workspace.write_text("link.py", "total = 2\n")
    assert (workspace.root / "link.py").is_symlink()
    assert (workspace.root / "shop" / "cart.py").read_text() == "total = 2\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
async def test_a_read_only_file_is_kept(workspace: Workspace) -> None:
    (workspace.root / "notes.txt").chmod(0o444)
    with pytest.raises(PermissionError) as caught:
        await workspace.write_text("notes.txt", "x")
    assert str(caught.value) == "'notes.txt' is read-only"


async def test_a_failed_write_leaves_nothing(workspace: Workspace) -> None:
    (workspace.root / "pipe").mkdir()
    before = sorted(workspace.root.iterdir())
    for path, text, error in (
        ("pipe", "x", IsADirectoryError),
        ("x.txt", "\ud800", ValueError),
        ("x.txt", "x" * (2 * 1024 * 1024 + 1), ValueError),
        ("../x.txt", "x", PermissionError),
    ):
        with pytest.raises(error):
            await workspace.write_text(path, text)
    assert sorted(workspace.root.iterdir()) == before


_PARTS = st.sampled_from(
    [
        "..",
        ".",
        "",
        "in",
        "out",
        "deep",
        "up",
        "abs",
        "dangling",
        "chain",
        "file",
        "new",
        "project",
        "project_evil",
    ]
)


@given(parts=st.lists(_PARTS, min_size=1, max_size=8), absolute=st.booleans())
def test_no_path_leads_outside(tmp_path_factory: pytest.TempPathFactory, parts: list[str], absolute: bool) -> None:
    workspace = _linked(tmp_path_factory)
    path = "/".join(parts)
    if absolute:
        path = f"{workspace.root}/{path}"
    try:
        relative = workspace.resolve(path, exists=False)
    except (OSError, ValueError):
        return
    real = os.path.realpath(workspace.root / path)
    assert os.path.commonpath([real, workspace.root]) == str(workspace.root)
    assert str(workspace.root / relative) == real
    # What was accepted is also what is opened: the outside file says "outside".
    try:
        text = workspace.read_text(relative)
    except (OSError, ValueError):
        return
    assert text == "inside"


_made: list[Workspace] = []


def _linked(factory: pytest.TempPathFactory) -> Workspace:
    if not _made:
        base = Path(os.path.realpath(factory.mktemp("links")))
        for root in ("project", "project_evil"):
            (base / root / "in" / "deep").mkdir(parents=True)
        for folder in ("", "in", "in/deep"):
            here = base / "project" / folder
            (here / "file").write_text("inside")
            (here / "up").symlink_to("..")
            (here / "out").symlink_to("../../project_evil")
            (here / "abs").symlink_to(base / "project_evil")
            (here / "chain").symlink_to("up/out")
            (here / "dangling").symlink_to("../../project_evil/new")
        for folder in ("", "project_evil", "project_evil/in"):
            (base / folder / "file").write_text("outside")
        _made.append(Workspace(base / "project"))
    return _made[0]


@given(st.text(max_size=40))
def test_any_text_is_a_path_inside_or_an_error(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    workspace = _linked(tmp_path_factory)
    try:
        relative = workspace.resolve(path, exists=False)
    except (OSError, ValueError):
        return
    assert not relative.startswith(("/", ".."))
    assert visible(path) == path
    assert not set(path) & set("\n\t\\")


def test_a_folder_swapped_for_a_link_is_not_followed(workspace: Workspace, tmp_path: Path) -> None:
    relative = workspace.resolve("shop/cart.py")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "cart.py").write_text("outside\n")
    (workspace.root / "shop").rename(workspace.root / "old")
    (workspace.root / "shop").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        confine.read_bytes(workspace.root, relative, 100)
    with pytest.raises(OSError):
        confine.replace_bytes(workspace.root, relative, b"x")
    assert (tmp_path / "elsewhere" / "cart.py").read_text() == "outside\n"


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        (".env", True),
        ("app/.env.local", True),
        (".ENV", True),
        ("certs/site.pem", True),
        ("site.KEY", True),
        ("id_ed25519", True),
        (".netrc", True),
        (".npmrc", True),
        (".pypirc", True),
        (".git/config", True),
        (".git/modules/a/config", True),
        ("./x/../.env", True),
        (".git/HEAD", False),
        ("config", False),
        ("env.py", False),
        ("id_generator.py", False),
        ("keys.py", False),
    ],
)
def test_is_secret(path: str, secret: bool) -> None:
    assert is_secret(path) is secret


def test_is_protected_compares_whole_components() -> None:
    assert [p for p in (".gitignore", ".github/x.yml", "a.git/x", ".git", "a/.Git/x") if is_protected(p)] == [
        ".git",
        "a/.Git/x",
    ]


def test_visible_hides_nothing() -> None:
    assert visible("rm\x1b[2K a\r\n\tb\u202e") == "rm\\x1b[2K a\\r\n\tb\\u202e"


async def test_no_terminal() -> None:
    approver = no_terminal(frozenset({"write"}))
    write = Question("write_file", {"path": "a.txt"}, "write a.txt (1 line)", rule="write")
    run = Question("run_command", {"command": ["pytest", "-k", "a b"]}, "run pytest -k 'a b'", rule="run")
    reason = "nobody at the terminal; run again with --allow run"
    assert await approver(write) == Decision(True, "rule")
    assert await approver(run) == Decision(False, "no-terminal", reason)
    assert str(refusal(run, await approver(run))) == f"refused: run pytest -k 'a b' ({reason})"
    assert str(refusal(run, Decision(False, "person", "not now"))) == "refused by the user: not now"
    assert str(refusal(run, Decision(False, "person"))) == "refused by the user"


def test_root_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError) as caught:
        Workspace(tmp_path / "nowhere")
    assert str(caught.value) == f"'{tmp_path / 'nowhere'}' is not a folder"
