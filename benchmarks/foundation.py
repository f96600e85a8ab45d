"""Run a suite with the model in use: python benchmarks/foundation.py [SUITE] [--model NAME] [--adapter NAME]

Prints a line for each case and the score with its 95 % interval. --records FILE keeps the records of every turn as
JSON lines, each with the name of its case.
"""

import argparse
import asyncio
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

from punie_cli.agent.loop import Agent
from punie_cli.agent.open import open_agent
from punie_cli.errors import PunieError
from punie_cli.evaluation.run import CaseResult, SuiteResult, run_suite
from punie_cli.evaluation.suites import load
from punie_cli.settings import load as load_settings
from punie_cli.workspace import Workspace


async def measure(options: argparse.Namespace) -> tuple[SuiteResult, str]:
    """The result, and what was measured in one line."""
    suite = load(options.suite)
    settings = load_settings({"model": options.model, "adapter": options.adapter})
    with tempfile.TemporaryDirectory(prefix="punie-eval-") as empty:
        async with open_agent(settings, Workspace(Path(empty))) as (agent, started):

            def make_agent(workspace: Workspace) -> Agent:
                return dataclasses.replace(agent, workspace=workspace, messages=[])

            result = await run_suite(suite, make_agent, show)
    core = (started.prompt_hash or "")[:12]
    return result, f"{started.model}, adapter {started.adapter}, prompt {core}"


def show(result: CaseResult) -> None:
    score = result.score
    marks = "".join("x" if part.ok else "-" for part in (score.calls, score.files, score.answer))
    verdict = "pass" if score.passed else "FAIL"
    print(f"{verdict}  {marks}  {result.seconds:6.1f} s  {result.case.name:22} {score.reason}", flush=True)


def keep(result: SuiteResult, path: Path) -> None:
    lines = [json.dumps({"case": case.case.name} | line) for case in result.cases for line in case.records]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("suite", nargs="?", default="foundation")
    parser.add_argument("--model")
    parser.add_argument("--adapter")
    parser.add_argument("--records", type=Path)
    options = parser.parse_args()
    print("parts: calls, files, answer")
    try:
        result, what = asyncio.run(measure(options))
    except PunieError as error:
        sys.exit(f"{error.message}\n{error.hint or ''}".rstrip())
    low, high = result.interval
    print(f"{result.passed} of {len(result.cases)} = {result.share:.0%} ({low:.0%} to {high:.0%}); {what}")
    if options.records:
        keep(result, options.records)


if __name__ == "__main__":
    main()
