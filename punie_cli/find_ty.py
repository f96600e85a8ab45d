"""Which ty is run and which Python environment it looks at; neither is a program's or a project's choice."""

import importlib.util
import os
import sys
from pathlib import Path

from punie_cli.workspace import Workspace


def ty_command(workspace: Workspace) -> list[str] | None:
    """The start of the argv that runs ty: the user's setting, punie's own, one on PATH; None without any.

    Raises FileNotFoundError if the setting names nothing that can be run. A ty inside the workspace is never
    taken, except that of the environment punie itself runs in or one that the setting names.
    """
    if workspace.ty is not None:
        # A relative path would be looked up inside the workspace.
        if not workspace.ty.is_absolute() or not os.access(workspace.ty, os.X_OK) or workspace.ty.is_dir():
            raise FileNotFoundError(f"the ty of your settings cannot be run: {workspace.ty}")
        return [str(workspace.ty)]
    own = _own_ty(workspace.root)
    if own is not None:
        return own
    found = workspace.which("ty")
    return [found] if found else None


def _own_ty(root: Path) -> list[str] | None:
    spec = importlib.util.find_spec("ty")
    if spec is None or spec.origin is None or _foreign(spec.origin, root):
        return None
    try:
        from ty import find_ty_bin

        binary = find_ty_bin()
    except (ImportError, FileNotFoundError):
        return None
    return None if _foreign(binary, root) else [binary]


def _foreign(path: str, root: Path) -> bool:
    """True for a path in the workspace that is no part of the environment punie runs in."""
    place = Path(os.path.realpath(path))
    return place.is_relative_to(root) and not place.is_relative_to(os.path.realpath(sys.prefix))


def python_environment(workspace: Workspace) -> Path | None:
    """The environment that imports are resolved in: the user's setting, ROOT/.venv, an active environment.

    None leaves it to ty, which then takes the environment that it is installed in, that is punie's. For a
    project without an environment this is the best there is: the standard library resolves, and what punie
    does not happen to depend on is reported as an import that was not found. Interpreters on PATH are no
    better choice, because shims and system stubs (pyenv, Xcode) make ty fail as a whole.
    """
    if workspace.python is not None:
        return workspace.python
    local = workspace.root / ".venv"
    if (local / "pyvenv.cfg").is_file():
        return local
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        active = os.environ.get(variable)
        if active and Path(active).is_dir() and os.path.realpath(active) != os.path.realpath(sys.prefix):
            return Path(active).absolute()
    return None
