"""Which paths questions are about, and what an output says about them."""

import re
from pathlib import PurePosixPath

from punie_cli.agent.messages import OUTPUT_LINE, Message
from punie_cli.rows import names
from punie_cli.rows.intents import Unsuitable, Voice
from punie_cli.rows.project import Project


def module(project: Project, rng: Voice) -> str:
    """A module of the project; four in five have a type error where there is one."""
    faulty = project.faulty()
    return rng.choice(faulty if faulty and rng.random() < 0.8 else project.modules)


def styled(project: Project, rng: Voice) -> str:
    """A module of the project; four in five have a lint finding where there is one."""
    faulty = sorted({fault.file for fault in project.style})
    return rng.choice(faulty if faulty and rng.random() < 0.8 else project.modules)


def tested(project: Project, rng: Voice) -> str:
    """A test file; one with a failing test is likelier."""
    if not project.tests:
        raise Unsuitable
    failing = sorted({bug.test_file for bug in project.bugs})
    return rng.choice(failing if failing and rng.random() < 0.6 else project.tests)


def folder(project: Project, rng: Voice) -> str:
    """The package, with or without a slash at the end."""
    return project.package + rng.choice(["/", "/", ""])


def target(project: Project, rng: Voice) -> str:
    """A path to check: mostly a module, often a folder, sometimes everything."""
    roll = rng.random()
    if roll < 0.1:
        return "."
    return folder(project, rng) if roll < 0.4 else module(project, rng)


def short(project: Project, rng: Voice, most: int = 12) -> str:
    """A file of at most `most` lines that is not empty; mostly not Python."""
    fitting = [p for p, text in project.files.items() if 0 < text.count("\n") <= most]
    other = [p for p in fitting if not p.endswith(".py")]
    return rng.choice(other if other and rng.random() < 0.7 else fitting)


def toml_setting(project: Project, rng: Voice) -> tuple[str, str, str]:
    """The TOML file of a richer project, a section and a key of it."""
    if not project.toml:
        raise Unsuitable
    section = rng.choice(sorted(project.toml))
    return project.toml_file, section, rng.choice(sorted(project.toml[section]))


def worded(rng: Voice, key: str) -> str:
    """A key as it stands, or in words."""
    return key.replace("_", " ") if rng.random() < 0.6 else key


def absent(project: Project, rng: Voice) -> str:
    """A path that is not there."""
    kinds = [f"{names.folder(rng)}/{names.module(rng)}.py"] * 3 + [f"{names.module(rng)}.py", f"{names.folder(rng)}/"]
    path = rng.choice(kinds)
    if path.strip("/") in project.files or path.startswith(project.package):
        raise Unsuitable
    return path


def base_name(project: Project, rng: Voice, path: str) -> str:
    """The name of a path without its folder, which must not exist and must be of one file only."""
    base = PurePosixPath(path).name
    if "/" not in path or base == "__init__.py" or sum(PurePosixPath(p).name == base for p in project.files) > 1:
        raise Unsuitable
    return base


def shown(path: str) -> str:
    """How an answer names what was checked."""
    return "the project" if path == "." else path


def contents(path: str) -> str:
    """The answer that shows what was read."""
    return f"{path}:\n\n{OUTPUT_LINE}"


def suggested(output: Message) -> list[str]:
    """The paths that an error suggests."""
    _, _, rest = (output.error or "").partition("did you mean ")
    return re.findall(r"'([^']+)'", rest)


def meant(output: Message) -> str | None:
    """The one path that an error suggests."""
    paths = suggested(output)
    return paths[0] if len(paths) == 1 else None


def refused(output: Message) -> bool:
    """Whether a person or the policy said no."""
    return (output.error or "").startswith("PermissionError")
