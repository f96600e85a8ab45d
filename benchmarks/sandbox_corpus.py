"""The corpus of tests/corpus over punie's sandbox and two others, side by side.

    python -m venv /tmp/others
    /tmp/others/bin/pip install smolagents==1.26.0 pydantic-monty==1.4.0
    python benchmarks/sandbox_corpus.py /tmp/others/bin/python [--out FILE]

Hostile programs that only need the language: how many printed the marker, read the file outside or, in the classes of
exhaustion, cost the process that hosts the sandbox. Ordinary programs: how many printed exactly what Python prints. The
builtins of punie are functions there that answer what they answered punie. `smolagents+` (ordinary programs only) has
all modules of punie's sandbox authorised, `smolagents` its own and json. Programs that attack punie's builtins and the
names of its guards are left out. --out keeps how every program ended, as JSON.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Queue
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from punie_cli.builtins.registry import Registry
from punie_cli.sandbox.host import Sandbox
from tests import corpora
from tests.corpora import Program

ENGINES = ("smolagents", "smolagents+", "monty")
OURS = ("forged frames", "paths", "secrets", "options", "commands", "names of guards")
BUILTINS = re.compile(r"\b(typecheck|lint|test|read_file|write_file|run_command)\(")


class Others:
    """The other sandboxes, behind a process of their own Python."""

    def __init__(self, python: str) -> None:
        script = str(Path(__file__).with_name("other_sandboxes.py"))
        self._process = subprocess.Popen(
            [python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.versions = self._read()

    def ask(self, request: dict[str, Any]) -> Any:
        """The answer to one request."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._read()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def with_json(code: str) -> str:
    """The code with an import of json, which programs of punie find without one."""
    if not re.search(r"\bjson\.", code) or re.search(r"^\s*import json\b", code, re.M):
        return code
    return f"import json\n{code}"


def reached(program: Program, answer: dict[str, Any]) -> bool:
    """Whether a hostile program got what it wanted, or its host is gone or filled."""
    if program.kind.startswith("exhaustion"):
        return answer["how"] != "returned" or answer["mb"] > 1024
    return corpora.MARKER in answer["text"] or corpora.TOKEN in answer["text"] or answer["how"] != "returned"


def ask_all(python: str, jobs: list[Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """How each job ended, with six processes at work."""
    free: Queue[Others] = Queue()
    servers = [Others(python) for _ in range(6)]
    for server in servers:
        free.put(server)

    done: list[str] = []

    def ask(job: Any) -> dict[str, Any]:
        _, engine, code, replies = job
        server = free.get()
        try:
            if len(done) % 100 == 0:
                print(f"{len(done)} of {len(jobs)}", file=sys.stderr, flush=True)
            done.append(engine)
            return server.ask({"engine": engine, "code": with_json(code), "replies": replies})
        finally:
            free.put(server)

    with ThreadPoolExecutor(len(servers)) as pool:
        answers = list(pool.map(ask, jobs))
    for server in servers:
        server.close()
    return answers, servers[0].versions


async def ours(programs: list[Program], files: dict[str, str], ordinary: list[Program]) -> tuple[list[Any], list[Any]]:
    """How punie's sandbox fares: endings of the hostile ones, outputs and replies of the ordinary ones."""
    async with Sandbox(Registry().specs(), corpora.LIMITS) as tight:
        endings = await corpora.gather([corpora.run_hostile(tight, program) for program in programs])
    async with Sandbox(Registry().specs()) as sandbox:
        outputs = await corpora.gather([corpora.run_ordinary(sandbox, files, program) for program in ordinary])
    return endings, outputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("python")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    hostile = [p for p in corpora.hostile() if p.kind not in OURS and not BUILTINS.search(p.code)]
    files, ordinary = corpora.ordinary()
    endings, outputs = asyncio.run(ours(hostile, files, ordinary))
    counts: dict[tuple[str, str], Counter[str]] = {("hostile", p.kind): Counter() for p in hostile}
    counts |= {("ordinary", p.kind): Counter() for p in ordinary}
    for program, ending in zip(hostile, endings, strict=True):
        counts["hostile", program.kind].update(programs=1, punie=bool(ending.reached))
    for program, (output, _) in zip(ordinary, outputs, strict=True):
        works = (output.text, output.error) == (program.output, None)
        counts["ordinary", program.kind].update(programs=1, punie=works)
    with tempfile.TemporaryDirectory() as folder:
        _, outside = corpora.lay_out(Path(folder))
        jobs = [(p, e, corpora.fill(p.code, outside), []) for p in hostile for e in ENGINES if e != "smolagents+"]
        jobs += [(p, e, p.code, r) for p, (_, r) in zip(ordinary, outputs, strict=True) for e in ENGINES]
        kept, versions = ask_all(options.python, jobs)
    for (program, engine, _, _), answer in zip(jobs, kept, strict=True):
        if program.output:
            counts["ordinary", program.kind][engine] += answer["error"] is None and answer["text"] == program.output
        else:
            counts["hostile", program.kind][engine] += reached(program, answer)
            answer["reached"] = reached(program, answer)
        answer |= {"program": program.title, "engine": engine}
    if options.out:
        options.out.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    show(counts, versions)


def show(counts: dict[tuple[str, str], Counter[str]], versions: dict[str, str]) -> None:
    """Two tables in Markdown."""
    print(f"smolagents {versions['smolagents']}, pydantic-monty {versions['monty']}\n")
    for sort, title in (("hostile", "hostile: reached something, or cost the host"), ("ordinary", "ordinary: worked")):
        names = ("programs", "punie", *(e for e in ENGINES if sort == "ordinary" or e != "smolagents+"))
        rows = {kind: row for (of, kind), row in counts.items() if of == sort}
        rows["**all**"] = sum(rows.values(), Counter())
        print(f"| {title} | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
        for kind, row in rows.items():
            print(f"| {kind} | {' | '.join(str(row[name]) for name in names)} |")
        print()


if __name__ == "__main__":
    main()
