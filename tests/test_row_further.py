"""The module more that the newest projects have: its faults stand once, and nothing is wrong when they are mended."""

import ast
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from punie_cli.rows.project import Project
from punie_cli.rows.projects import FURTHER, make_project

BIN = Path(sysconfig.get_path("scripts"))


def mended(project: Project) -> None:
    for fault in [*project.faults, *project.style, *project.bugs]:
        assert fault.wrong in project.files[fault.file]
        project.files[fault.file] = project.files[fault.file].replace(fault.wrong, fault.right, 1)


@pytest.mark.parametrize("seed", range(FURTHER, FURTHER + 40))
def test_faults_stand_where_the_project_says(seed: int) -> None:
    project = make_project(seed)
    for path, text in project.files.items():
        if path.endswith(".py"):
            ast.parse(text)
    assert all(f"def {name}(" in project.files[path] for name, path in project.functions.items())
    assert make_project(seed).files == project.files
    mended(project)


def test_a_mended_package_has_no_findings(tmp_path: Path) -> None:
    for seed in range(FURTHER, FURTHER + 12):
        project = make_project(seed)
        mended(project)
        root = tmp_path / str(seed)
        root.mkdir()
        project.write(root)
        for command in (["ty", "check", project.package], ["ruff", "check", "--no-cache", project.package]):
            tool = shutil.which(command[0], path=str(BIN))
            assert tool
            done = subprocess.run([tool, *command[1:]], cwd=root, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout
