"""The program that mends faults by replacing texts, and then checks."""

from collections.abc import Sequence

from punie_cli.rows.intents import quoted
from punie_cli.rows.modules import Fault


def bare(fault: Fault) -> tuple[str, str]:
    """Wrong and right text as a program replaces them: without the indent; a line that goes, goes with its line end."""
    return (fault.wrong.strip(), fault.right.strip()) if fault.right else (fault.wrong, "")


def change(faults: Sequence[Fault], *checks: str) -> str:
    """Mends the files of the faults one after the other, and prints the checks (calls)."""
    lines = []
    for file in dict.fromkeys(fault.file for fault in faults):
        lines.append(f'text = read_file("{file}")')
        for wrong, right in (bare(fault) for fault in faults if fault.file == file):
            lines.append(f"text = text.replace({quoted(wrong)}, {quoted(right)})")
        lines.append(f'write_file("{file}", text)')
    return "\n".join([*lines, *(f"print({check})" for check in checks)])
