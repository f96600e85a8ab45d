"""Runs one target under atheris: python -m tests.fuzz TARGET [FOLDER] [libFuzzer options]; see docs/develop.md.

TARGET is policy, protocol, paths, ty_output or replies. FOLDER keeps the inputs that reached new code.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

TARGETS = ("policy", "protocol", "paths", "ty_output", "replies")


def main(name: str, options: list[str]) -> None:
    """Fuzz one target until it fails or is stopped."""
    if name not in TARGETS:
        sys.exit(f"no target '{name}'; there are: {', '.join(TARGETS)}")
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["punie_cli", "RestrictedPython", "tests.fuzz"]):
        target = importlib.import_module(f"tests.fuzz.{name}")
    folder = next((Path(option) for option in options if not option.startswith("-")), None)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for n, seed in enumerate(target.seeds()):
            (folder / f"seed-{n:04}").write_bytes(seed)
    if hasattr(target, "prepare"):
        target.prepare()
    atheris.Setup([sys.argv[0], *options], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "", sys.argv[2:])
