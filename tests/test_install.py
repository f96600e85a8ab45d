"""install.sh up to the point where it would install: options, the choice of Python and backend, its one-line errors."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "install.sh"
TOOLS = (
    "awk", "bash", "cat", "chmod", "cksum", "cut", "df", "dirname", "find", "grep", "head", "ln", "ls", "mkdir",
    "readlink", "rm", "sed", "sh", "sort", "tail", "touch", "tr", "uname",
)  # fmt: skip
VERSION = ".".join(map(str, sys.version_info[:3]))

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the installer needs bash")


@dataclass
class Machine:
    """A PATH with the tools that the script needs and whatever a test adds."""

    folder: Path

    def tool(self, name: str, text: str) -> Path:
        path = self.folder / "bin" / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    def good_python(self, name: str = "python3") -> Path:
        return self.tool(name, f'exec "{sys.executable}" "$@"')

    def scripted_python(self) -> None:
        """A Python whose environments only note what they are asked to do, in the file `calls`."""
        calls = self.folder / "calls"
        self.tool(
            "python3",
            f"""
case $2 in
    venv)
        mkdir -p "$4/bin"
        touch "$4/pyvenv.cfg"
        printf '#!/bin/sh\\n[ "$1" != -c ] || {{ echo "ok 3.12.1"; exit; }}\\n' >"$4/bin/python"
        printf 'echo "python $*" >>{calls}\\n' >>"$4/bin/python"
        printf '#!/bin/sh\\necho "punie $*" >>{calls}\\n' >"$4/bin/punie"
        chmod +x "$4/bin/python" "$4/bin/punie"
        ;;
    *) echo "ok 3.12.1" ;;
esac""",
        )

    def calls(self) -> list[str]:
        """What was asked since the last time."""
        path = self.folder / "calls"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        path.unlink(missing_ok=True)
        return [line.replace(str(SCRIPT.parent), "CHECKOUT") for line in text.splitlines()]

    def install(self, *options: str, **variables: str) -> tuple[int, str, str]:
        environment = {"PATH": str(self.folder / "bin"), "HOME": str(self.folder / "home"), "LC_ALL": "C"}
        done = subprocess.run(
            [shutil.which("bash") or "bash", str(SCRIPT), *options],
            env=environment | variables,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    (tmp_path / "bin").mkdir()
    (tmp_path / "home").mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        if found:
            (tmp_path / "bin" / name).symlink_to(found)
    made = Machine(tmp_path)
    made.tool("uname", "echo Linux")
    made.tool("df", "echo Filesystem; echo /dev/disk 90000000 1 50000000 1% /")
    return made


def test_help(machine: Machine) -> None:
    code, out, err = machine.install("--help")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines() if line.startswith("  --")] == [
        *("--prefix", "--backend", "--dev", "--no-model", "--link", "--dry-run", "--help")
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prefix"], "--prefix needs a value; see ./install.sh --help"),
        (["--prefix", ""], "--prefix needs a value; see ./install.sh --help"),
        (["--fast"], "unknown option '--fast'; see ./install.sh --help"),
        (["--backend", "tpu"], "unknown backend 'tpu'; there are: metal, cuda13, cuda12, cpu"),
    ],
)
def test_usage(machine: Machine, options: list[str], message: str) -> None:
    assert machine.install(*options) == (2, "", f"install.sh: {message}\n")


def test_an_old_python(machine: Machine) -> None:
    path = machine.tool("python3", 'echo "version 3.9"')
    message = f"install.sh: Python 3.11 to 3.15 is needed; {path} is 3.9\n"
    assert machine.install("--prefix", "env") == (3, "", message)
    assert not (machine.folder / "env").exists()


@pytest.mark.parametrize("text", ["exit 127", "echo nonsense", None])
def test_no_python_that_runs(machine: Machine, text: str | None) -> None:
    if text:
        machine.tool("python3.12", text)
    message = "install.sh: Python 3.11 to 3.15 is needed; no python3 on PATH runs\n"
    assert machine.install("--prefix", "env") == (3, "", message)


def test_a_python_without_venv(machine: Machine) -> None:
    path = machine.tool("python3", 'echo "venv 3.12"')
    advice = "install it (Debian, Ubuntu: the package python3-venv)"
    message = f"install.sh: {path} (3.12) has no venv module; {advice}\n"
    assert machine.install("--prefix", "env") == (3, "", message)


def test_a_python_that_does_not_suit(machine: Machine) -> None:
    path = machine.tool("python3", 'echo "unfit this system has glibc 2.31; MLX needs 2.35"')
    message = f"install.sh: {path}: this system has glibc 2.31; MLX needs 2.35\n"
    assert machine.install("--prefix", "env") == (3, "", message)


def test_a_broken_shim_is_passed_over(machine: Machine) -> None:
    machine.tool("python3.13", "echo 'pyenv: python3.13: command not found' >&2; exit 127")
    machine.tool("python3.12", 'echo "venv 3.12"')
    path = machine.good_python()
    assert machine.install("--prefix", "env", "--dry-run", "--dev", "--no-model") == (
        0,
        f"environment: {machine.folder}/env with Python {VERSION} ({path})\n"
        "packages: punie[cpu,dev], a copy\n"
        "model: no\n",
        "",
    )
    assert sorted(path.name for path in machine.folder.iterdir()) == ["bin", "home"]


@pytest.mark.parametrize(
    ("said", "backend"),
    [
        ("echo '580.65.06, 9.0'", "cuda13"),
        ("echo '610.10, 12.0'; echo '610.10, 6.1'", "cuda13"),
        ("echo '550.54.14, 7.5'", "cuda12"),
        ("echo '535.10, 8.6'", "cpu"),
        ("echo '580.65.06, 7.0'", "cpu"),
        ("echo 'Failed to initialize NVML'", "cpu"),
        ("echo '580.65.06, 9.0'; exit 9", "cpu"),
        ("exit 9", "cpu"),
    ],
)
def test_the_backend_follows_the_driver(machine: Machine, said: str, backend: str) -> None:
    machine.good_python()
    machine.tool("nvidia-smi", said)
    code, out, err = machine.install("--prefix", "env", "--dry-run")
    assert (code, out.splitlines()[1], err) == (0, f"packages: punie[{backend}], a copy", "")


def test_macos_needs_no_extra(machine: Machine) -> None:
    machine.good_python()
    machine.tool("uname", "echo Darwin")
    out = machine.install("--prefix", "env", "--dry-run")[1]
    assert out.splitlines()[1:] == ["packages: punie, a copy", "model: yes, embedded"]


def test_too_little_disk(machine: Machine) -> None:
    machine.good_python()
    machine.tool("df", "echo Filesystem; echo /dev/disk 9000000 1 1024000 1% /")
    message = f"install.sh: 3000 MB of disk are needed for {machine.folder}/env, 1000 MB are free\n"
    assert machine.install("--prefix", "env") == (1, "", message)
    assert not (machine.folder / "env").exists()


def test_a_folder_of_something_else(machine: Machine) -> None:
    (machine.folder / "env").mkdir()
    (machine.folder / "env" / "thesis.txt").touch()
    advice = "choose another folder with --prefix"
    message = f"install.sh: {machine.folder}/env exists and is no virtual environment; {advice}\n"
    assert machine.install("--prefix", "env") == (1, "", message)
    assert [path.name for path in (machine.folder / "env").iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_written(machine: Machine) -> None:
    machine.good_python()
    (machine.folder / "file").touch()
    message = f"install.sh: {machine.folder}/file/env cannot be written\n"
    assert machine.install("--prefix", "file/env") == (1, "", message)


def test_no_network_is_one_line_with_the_log(machine: Machine) -> None:
    machine.good_python()
    # A Python of its own is needed to make the environment; pip then finds no index.
    code, out, err = machine.install(
        *("--prefix", "env"),
        PATH=f"{machine.folder / 'bin'}{os.pathsep}{os.defpath}",
        PIP_CONFIG_FILE=os.devnull,
        PIP_INDEX_URL="http://127.0.0.1:9/simple",
        PIP_NO_CACHE_DIR="1",
        PIP_RETRIES="0",
    )
    log = machine.folder / "env" / "install.log"
    assert (code, out.splitlines()[-1]) == (
        1,
        f"installing punie[cpu]; this takes minutes, the log is {log}",
    )
    [line] = err.splitlines()
    assert line.startswith("install.sh: pip failed: No matching distribution found for hatchling")
    assert line.endswith(f"(is the network up, and pip's index right?); the log is {log}")
    assert not (machine.folder / "env" / ".punie-install").exists()
    assert list((machine.folder / "home").iterdir()) == []


PIP = "python -m pip install --no-input --disable-pip-version-check --progress-bar off"


def test_a_second_run_installs_nothing(machine: Machine) -> None:
    machine.scripted_python()
    env = machine.folder / "env"
    code, out, err = machine.install("--prefix", "env")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"making {env} with Python 3.12.1 ({machine.folder}/bin/python3)",
        f"installing punie[cpu]; this takes minutes, the log is {env}/install.log",
        f"punie is in {env} (backend cpu)",
        "its model is smollm2-135m, in punie's data folder",
        f'next:   {env}/bin/punie ask "typecheck src/"    in one of your projects',
        f'to type punie alone:   export PATH="{env}/bin:$PATH"    or ./install.sh --link',
    ]
    assert machine.calls() == [
        "python -m pip --version",
        "python -m pip uninstall --yes punie-cli",
        f"{PIP} CHECKOUT[cpu]",
        "punie models pull --quiet embedded",
    ]
    code, out, err = machine.install("--prefix", "env", "--no-model")
    assert (code, err, machine.calls()) == (0, "", [])
    assert out.splitlines()[0] == f"punie is in {env} (backend cpu; it was already there)"


def test_the_test_tools_stay(machine: Machine) -> None:
    machine.scripted_python()
    for options, extras in [([], "cpu"), (["--dev"], "cpu,dev"), (["--backend", "cuda13"], "cuda13,dev")]:
        assert machine.install("--prefix", "env", "--no-model", *options)[0] == 0
        assert machine.calls()[-1] == f"{PIP} CHECKOUT[{extras}]"
    assert machine.install("--prefix", "env", "--no-model", "--backend", "cuda13")[0] == 0
    assert machine.calls() == []


def test_a_model_that_cannot_be_fetched(machine: Machine) -> None:
    machine.scripted_python()
    assert machine.install("--prefix", "env", "--no-model")[0] == 0
    punie = machine.folder / "env" / "bin" / "punie"
    punie.write_text(
        "#!/bin/sh\necho 'Error: pip could not fetch it' >&2\necho 'Try: this' >&2\nexit 3\n", encoding="utf-8"
    )
    message = f"punie is installed, its model is not: pip could not fetch it; try again: {punie} models pull embedded"
    assert machine.install("--prefix", "env") == (1, "", f"install.sh: {message}\n")


def test_link_takes_nothing_away(machine: Machine) -> None:
    machine.scripted_python()
    assert machine.install("--prefix", "env", "--no-model")[0] == 0
    # From now on it only answers where ~/.local/bin is.
    python = machine.folder / "env" / "bin" / "python"
    local = machine.folder / "home" / ".local" / "bin"
    python.write_text(f"#!/bin/sh\necho {local}\n", encoding="utf-8")
    for _ in range(2):
        code, out, err = machine.install("--prefix", "env", "--no-model", "--link")
        assert (code, out.splitlines()[-1], err) == (0, f"linked: {local}/punie", "")
    assert (local / "punie").readlink() == machine.folder / "env" / "bin" / "punie"
    (local / "punie").unlink()
    (local / "punie").touch()
    message = f"install.sh: {local}/punie exists and belongs to something else; remove it first\n"
    assert machine.install("--prefix", "env", "--no-model", "--link") == (1, "", message)
