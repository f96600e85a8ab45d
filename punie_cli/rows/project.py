"""A generated project as generators of rows see it: its files, and what a question may ask about."""

from dataclasses import dataclass, field
from pathlib import Path

from punie_cli.rows.modules import Bug, Fault
from punie_cli.rows.pieces import Entity


@dataclass
class Project:
    """Files by path, the faults in them, and what a question may ask about."""

    name: str
    package: str
    files: dict[str, str]
    faults: list[Fault] = field(default_factory=list)
    """What a type checker rejects."""
    style: list[Fault] = field(default_factory=list)
    """What a linter reports."""
    bugs: list[Bug] = field(default_factory=list)
    """What makes a test fail."""
    functions: dict[str, str] = field(default_factory=dict)
    """Function name → the file that defines it; only names that occur in one file."""
    entities: dict[str, Entity] = field(default_factory=dict)
    """The dataclass by the file that defines it."""
    config_file: str = "config.json"
    config: dict[str, object] = field(default_factory=dict)
    toml_file: str = ""
    """Only richer projects have this and what follows; see `richer.py`."""
    toml: dict[str, dict[str, object]] = field(default_factory=dict)
    table_file: str = ""
    table: list[list[str]] = field(default_factory=list)
    """The header and the rows of `table_file`."""
    script: str = ""
    script_total: int = 0

    @property
    def modules(self) -> list[str]:
        """Paths of the package's modules, sorted."""
        return sorted(p for p in self.files if p.startswith(self.package + "/") and p.endswith(".py"))

    @property
    def tests(self) -> list[str]:
        """Paths of the test files, sorted."""
        return sorted(p for p in self.files if p.startswith("tests/"))

    def faulty(self) -> list[str]:
        """Modules that a type checker rejects, sorted."""
        return sorted({f.file for f in self.faults})

    def write(self, root: Path) -> None:
        """Create the files below `root`, which must be empty."""
        for path, text in self.files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
