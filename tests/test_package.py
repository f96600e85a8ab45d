"""What the wheel holds and where the package finds it; what the examples show."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from punie_cli.builtins.registry import Registry
from punie_cli.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent


def shipped(source: Path, folder: str) -> list[str]:
    """Files of a folder that belong into the wheel, relative to `source`."""
    files = (path.relative_to(source) for path in (source / folder).rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in files if "__pycache__" not in path.parts)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what goes into it."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("punie_cli", "data"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-input", "--disable-pip-version-check", "--quiet"]
    done = subprocess.run([*pip, "-w", folder, source], capture_output=True, text=True)
    if done.returncode and "No matching distribution found for hatchling" in done.stderr + done.stdout:
        pytest.skip("pip's index, which has the build tool, cannot be reached")
    assert done.returncode == 0, done.stderr
    [made] = folder.glob("punie_cli-*.whl")
    return made


def test_the_wheel_holds_the_package_and_the_data(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = sorted(name for name in archive.namelist() if ".dist-info/" not in name)
    source = wheel.parent / "source"
    assert names == sorted(shipped(source, "punie_cli") + [f"punie_cli/{path}" for path in shipped(source, "data")])


def test_the_wheel_finds_its_data(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "from punie_cli.paths import shipped, shipped_adapters\n"
        "from punie_cli.evaluation.suites import load, names\n"
        "print(shipped('rows'), shipped_adapters(), names(), len(load('foundation').case))"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    package = tmp_path / "punie_cli"
    suites = sorted(path.stem for path in (wheel.parent / "source" / "data" / "suites").iterdir())
    assert (done.stdout, done.stderr) == (f"{package}/data/rows {package}/adapters {suites} 14\n", "")


def test_metadata(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = archive.read(name).decode()
        [scripts] = [name for name in archive.namelist() if name.endswith("/entry_points.txt")]
        assert archive.read(scripts).decode() == "[console_scripts]\npunie = punie_cli.cli:main\n"
    extras = re.findall(r"^Provides-Extra: (.*)$", metadata, re.MULTILINE)
    assert sorted(extras) == ["cpu", "cuda12", "cuda13", "dev"]
    assert re.findall(r"^License-Expression: (.*)$", metadata, re.MULTILINE) == ["MIT"]


def test_the_installer_and_the_package_agree_on_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    script = (ROOT / "install.sh").read_text(encoding="utf-8")
    assert project["requires-python"] == ">=3.11,<3.16"
    assert "if not (3, 11) <= sys.version_info[:2] < (3, 16):" in script


async def test_the_example_has_the_errors_that_its_page_shows() -> None:
    page = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^(examples/\S+\.py):(\d+): ", page, re.MULTILINE)
    # From the checkout's root, as in the README.
    outcome = await Registry().call("typecheck", {"path": "examples/shop"}, Workspace(ROOT))
    found = [(finding["file"], str(finding["line"])) for finding in outcome.result["errors"]]
    assert found == shown
    assert outcome.wire["text"].splitlines()[0] in page.splitlines()
    assert len(found) == 5


def test_the_index_lists_every_page() -> None:
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"\]\(([a-z0-9-]+\.md)\)", text)
    assert sorted(["index.md", *listed]) == sorted(path.name for path in (ROOT / "docs").glob("*.md"))


@pytest.mark.parametrize("page", ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))])
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    # Not in code: `def f[T](x)`.
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", re.sub(r"`[^`\n]*`", "", text))
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_the_readme_has_its_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^    (\./install\.sh.*)$", text, re.MULTILINE)
    assert commands == [
        './install.sh && .venv/bin/punie ask "typecheck examples/shop"',
        "./install.sh --dev && .venv/bin/python -m pytest",
    ]
    run = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert set(" && ".join(commands).split(" && ")) - {"./install.sh"} <= set(run)
