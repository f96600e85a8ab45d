"""What a generated project has for those who look first: tables, settings, notes and logs."""

from dataclasses import dataclass
from random import Random

from punie_cli.rows.look_settings import Store, make_store
from punie_cli.rows.look_tables import Table, make_table
from punie_cli.rows.look_texts import Log, Notes, make_log, make_notes
from punie_cli.rows.project import Project


@dataclass(frozen=True)
class Looks:
    """The files that are added, with what can be asked about them."""

    table: Table
    store: Store
    notes: Notes
    log: Log

    @property
    def files(self) -> dict[str, str]:
        """Texts by path."""
        return {part.path: part.text for part in (self.table, self.store, self.notes, self.log)}


def looks(project: Project) -> Looks:
    """The same for a project each time it is asked for: names of projects are many, and code is its own."""
    rng = Random(f"looks-{project.name}-{project.package}-{sorted(project.entities)}")
    return Looks(make_table(rng), make_store(rng), make_notes(rng), make_log(rng))


def add_looks(project: Project) -> None:
    """Add the files, in place; they take the place of files of the same path."""
    project.files |= looks(project).files
