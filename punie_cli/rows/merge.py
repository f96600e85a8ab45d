"""`punie data merge A B … -o OUT`: rows of several files, one for each question, in the order in which they came.

With one input it is a conversion to another form. Rows pass through one at a time.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from punie_cli.rows.files import keep_apart, writing
from punie_cli.rows.formats import Entry, Writer, read_entries
from punie_cli.rows.row import Row
from punie_cli.rows.seen import Seen, fingerprint

# Of rows that were dropped, so many are named.
SHOWN = 10


@dataclass
class Merged:
    """What a merge did. `read` and `dropped` are by file, `left_out` by kind of note, `examples` names some drops."""

    out: str
    rows: int = 0
    lines: int = 0
    read: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


def question_key(row: Row) -> int:
    """Fingerprint of the first question, normalised; of the whole row where it has no words."""
    questions = row.questions
    return fingerprint(questions[0] if questions and questions[0] else row.id)


def merged(entries: Iterable[Entry], report: Merged) -> Iterator[Entry]:
    """The entries whose question did not come before."""
    seen = Seen()
    for entry in entries:
        report.read[entry.file] += 1
        if seen.add(question_key(entry.row), 0) is not None:
            report.dropped[entry.file] += 1
            if len(report.examples) < SHOWN:
                question = entry.row.questions[0] if entry.row.questions else entry.row.id
                report.examples.append(f"{entry.place}: {question[:80]}")
            continue
        report.left_out.update(note.kind for note in entry.notes)
        report.rows += 1
        yield entry


def merge(inputs: Sequence[Path], out: Path | None, writer: Writer) -> Merged:
    """Write the rows of all inputs to `out`, or to stdout; whole or not at all.

    Raises UsageError for a line that is no row, and where `out` is one of the inputs.
    """
    keep_apart(inputs, [out])
    report = Merged("-" if out is None else str(out))
    entries = (entry for path in inputs for entry in read_entries(path))
    with writing(out) as file:
        for entry in merged(entries, report):
            for line in writer.lines(entry):
                file.write(f"{line}\n")
                report.lines += 1
    return report
