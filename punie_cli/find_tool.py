"""Which ty, ruff and Python are run; none of them is a program's or a project's choice."""

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Literal

from punie_cli.workspace import Workspace

Tool = Literal["ty", "ruff"]


def tool_command(workspace: Workspace, name: Tool) -> list[str] | None:
    """The start of the argv that runs a tool: the user's setting, punie's own, one on PATH; None without any.

    Raises FileNotFoundError if the setting names nothing that can be run. A tool inside the workspace is never
    taken, except that of the environment punie itself runs in or one that the setting names.
    """
    if name in workspace.missing:
        return None
    setting = workspace.tools.get(name)
    if setting is not None:
        # A relative path would be looked up inside the workspace.
        if not setting.is_absolute() or not os.access(setting, os.X_OK) or setting.is_dir():
            raise FileNotFoundError(f"the {name} of your settings cannot be run: {setting}")
        return [str(setting)]
    own = _own(name, workspace.root)
    if own is not None:
        return own
    found = workspace.which(name)
    return [found] if found else None


def _own(name: str, root: Path) -> list[str] | None:
    if not _importable(name, root):
        return None
    try:
        # Both wheels say where their binary is: ty.find_ty_bin, ruff.find_ruff_bin.
        binary = getattr(importlib.import_module(name), f"find_{name}_bin")()
    except (ImportError, AttributeError, FileNotFoundError):
        return None
    return None if _foreign(binary, root) else [binary]


def _importable(name: str, root: Path) -> bool:
    """Whether punie's own environment has this package."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None and not _foreign(spec.origin, root)


def _foreign(path: str, root: Path) -> bool:
    """True for a path in the workspace that is no part of the environment punie runs in."""
    place = Path(os.path.realpath(path))
    return place.is_relative_to(root) and not place.is_relative_to(os.path.realpath(sys.prefix))


def pytest_python(workspace: Workspace) -> tuple[str, Path | None] | None:
    """The interpreter that tests run in, with its environment (None: punie's own); None if there is no pytest.

    The environment is that of `python_environment`, also where it has no pytest: without the project's own
    packages its tests would fail for a wrong reason.
    """
    if "pytest" in workspace.missing:
        return None
    environment = python_environment(workspace)
    if environment is None:
        return (sys.executable, None) if _importable("pytest", workspace.root) else None
    if environment.is_file():
        return str(environment), environment.parent.parent
    return str(environment / "bin" / "python"), environment


def python_environment(workspace: Workspace) -> Path | None:
    """The environment that imports are resolved in: the user's setting, ROOT/.venv, an active environment.

    None means the one that ty is installed in, that is punie's. For a
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
