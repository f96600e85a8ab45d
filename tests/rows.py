"""Programs of shipped rows, for tests of what reads programs."""

import json

from punie_cli.paths import shipped


def programs_of_rows() -> list[str]:
    """All programs of phase 24, each once."""
    found = {}
    for path in sorted((shipped("rows") / "phase-24").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            for message in json.loads(line)["messages"]:
                if message["role"] == "program":
                    found[message["text"]] = None
    return list(found)
