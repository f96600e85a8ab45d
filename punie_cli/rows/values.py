"""More files with values in them: versions in several places, constants, settings of other forms than JSON and TOML."""

import json
import re
from dataclasses import dataclass
from random import Random

from punie_cli.rows import names
from punie_cli.rows.project import Project


@dataclass(frozen=True)
class Value:
    """A key with its value, as one line of a file has them; the line stands there once."""

    path: str
    line: str
    key: str
    value: str

    @property
    def kind(self) -> str:
        """`switch`, `number` or `text`."""
        if self.value.lower() in _OTHER:
            return "switch"
        return "number" if self.value.isdigit() else "text"

    @property
    def on(self) -> bool:
        """Whether a switch is on."""
        return self.value.lower() in ("true", "yes", "on")

    @property
    def flipped(self) -> str:
        """The other position of a switch, written as this one is."""
        other = _OTHER[self.value.lower()]
        return other.capitalize() if self.value[0].isupper() else other

    def to(self, value: str) -> str:
        """The line with another value; quotes stay."""
        bare = self.value.strip('"')
        return self.line[: self.line.rindex(bare)] + value + self.line[self.line.rindex(bare) + len(bare) :]


_OTHER = {"true": "false", "false": "true", "yes": "no", "no": "yes", "on": "off", "off": "on"}
_LINE = re.compile(
    r'^([A-Za-z]\w*)( = |=|: int = |: bool = |: str = |: )(true|false|True|False|yes|no|on|off|\d+|"\w+")$'
)


def values_of(project: Project) -> list[Value]:
    """All lines with a value that a question may be about."""
    found = []
    for path, text in sorted(project.files.items()):
        if path == "pyproject.toml" or path.endswith((".md", ".txt", ".csv")):
            continue
        lines = text.splitlines()
        for line in lines:
            match = _LINE.match(line)
            if match and text.count(line) == 1 and sum(match[1] in other for other in lines) == 1:
                found.append(Value(path, line, match[1], match[3]))
    return found


def versions_of(project: Project) -> list[tuple[str, str, str]]:
    """Path, line and version of every line that has the version of the project."""
    found = []
    for path, text in sorted(project.files.items()):
        if path.endswith((".md", ".txt", ".csv")) or path == project.config_file:
            continue
        for line in text.splitlines():
            match = re.match(
                r'^\s*(?:__version__|VERSION|version|"version"|release)(?: = |: )"?(\d+\.\d+\.\d+)"?,?$', line
            )
            if match and text.count(line.strip()) == 1:
                found.append((path, line.strip(), match[1]))
    return found


def add_values(project: Project, rng: Random) -> None:
    """Add the files, in place."""
    old = project.files["pyproject.toml"].split('version = "')[1].split('"')[0]
    init, package = f"{project.package}/__init__.py", project.name.replace("_", "-")
    if rng.random() < 0.8:
        doc = rng.choice(['"""The package."""\n\n', f'"""{names.phrase(rng).capitalize()}."""\n\n', ""])
        project.files[init] = f'{doc}{rng.choice(["__version__", "__version__", "VERSION"])} = "{old}"\n'
    if rng.random() < 0.5:
        path = rng.choice(["package.json", "package.json", "manifest.json", f"{names.word(rng)}/package.json"])
        data = {"name": package, "version": old, "private": True, "scripts": {names.verb(rng): names.word(rng)}}
        project.files[path] = json.dumps(data, indent=2) + "\n"
    if rng.random() < 0.3:
        project.files["docs/conf.py"] = f'project = "{package}"\nrelease = "{old}"\n'
    shared = _constants(project, rng)
    for _ in range(rng.randint(1, 2)):
        _settings(project, rng, shared)


def _constants(project: Project, rng: Random) -> dict[str, str]:
    """A module of constants; one that is in a settings file as well is given back."""
    path = f"{project.package}/{rng.choice(['options', 'defaults', 'constants', 'conf', 'knobs'])}.py"
    if path in project.files:
        return {}
    values = {key: _value(rng, key) for key in _keys(rng, 5)}
    lines = [f"# TODO: {names.phrase(rng)}"] * (rng.random() < 0.5)
    for key, value in values.items():
        literal = value if value.isdigit() else str(value == "true") if value in _OTHER else f'"{value}"'
        lines.append(f"{key.upper()} = {literal}")
    project.files[path] = f'"""{rng.choice(["Options", "Defaults", "Constants"])}."""\n\n' + "\n".join(lines) + "\n"
    numbers = [key for key, value in values.items() if value.isdigit()]
    return {numbers[0]: values[numbers[0]]} if numbers and rng.random() < 0.7 else {}


def _settings(project: Project, rng: Random, shared: dict[str, str]) -> None:
    ending = rng.choice(["yaml", "ini", "cfg", "conf", "toml", "env"])
    path = f"{rng.choice(['', '', 'conf/', 'deploy/'])}{names.word(rng)}.{ending}"
    if path in project.files:
        return
    yes = {"true": rng.choice(["true", "yes", "on"])}
    yes["false"] = _OTHER[yes["true"]]
    lines = ["[main]"] if ending in ("ini", "cfg") else []
    values = {key: _value(rng, key) for key in _keys(rng, rng.randint(4, 6))} | shared
    for key, value in values.items():
        if ending == "toml":
            value = f'"{value}"' if not value.isdigit() and value not in _OTHER else value
        else:
            value = yes.get(value, value)
            value = value if value.isdigit() or value in _OTHER else f'"{value}"'
        mark = {"yaml": ": ", "env": "="}.get(ending, " = ")
        lines.append(f"{key.upper() if ending == 'env' else key}{mark}{value}")
    project.files[path] = "\n".join(lines) + "\n"


def _keys(rng: Random, number: int) -> list[str]:
    kinds = [
        f"{names.word(rng)}_limit", f"max_{names.word(rng)}", f"{names.verb(rng)}_timeout", f"send_{names.word(rng)}",
        f"use_{names.word(rng)}", f"{names.word(rng)}_enabled", f"{names.word(rng)}_retries", f"{names.word(rng)}_mode",
        f"{names.word(rng)}_name", f"min_{names.word(rng)}", f"{names.word(rng)}_region", f"show_{names.word(rng)}",
    ]  # fmt: skip
    return rng.sample(kinds, number)


def _value(rng: Random, key: str) -> str:
    if key.startswith(("send", "use", "show")) or key.endswith("enabled"):
        return rng.choice(["true", "false"])
    if key.endswith(("mode", "name", "region")):
        return names.word(rng)
    return str(names.number(rng))
