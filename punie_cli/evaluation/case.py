"""Runs one case: in a fresh copy of its fixture, with a conversation of its own.

outcome = await run_case(case, make_agent)

Cases may run at the same time: what is allowed, refused and missing belongs to the workspace of each.
"""

import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from punie_cli.agent.events import Event, Failed, Started, record
from punie_cli.agent.loop import Agent
from punie_cli.approvals import Approver, Decision, Question, no_terminal
from punie_cli.enclosure.enclosure import where_possible
from punie_cli.errors import Exit, InterruptedByUser, PunieError
from punie_cli.evaluation.checked import check
from punie_cli.evaluation.score import Record, Score, score, score_files
from punie_cli.evaluation.scratch import CACHES, difference, snapshot
from punie_cli.evaluation.suites import Case
from punie_cli.workspace import Workspace

log = logging.getLogger(__name__)

# A new conversation over this workspace. Engine and sandbox may be shared: they outlive the agent.
AgentFactory = Callable[[Workspace], Agent]


@dataclass(frozen=True)
class CaseOutcome:
    """One case: its score, all records of its turns, the time they took, and the files before and after.

    Caches of tools are no part of the files.
    """

    case: Case
    score: Score
    records: tuple[Record, ...]
    seconds: float
    before: Mapping[str, str]
    after: Mapping[str, str]

    @property
    def answer(self) -> str:
        """The text of the last answer; empty if there was none."""
        return next((r["text"] for r in reversed(self.records) if r["type"] == "answer"), "")

    @property
    def diff(self) -> str:
        """What changed in the files, as a unified diff with control characters escaped."""
        return difference(self.before, self.after)


async def run_case(case: Case, make_agent: AgentFactory) -> CaseOutcome:
    """Run a case and score it.

    A PunieError or a crash is a failed case that says why (a traceback goes to the log), not an exception; a turn after
    it is not begun. InterruptedByUser and a cancellation go on.
    """
    records: list[Record] = []
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    checked: tuple[str, ...] = ()
    start = seconds = 0.0
    with tempfile.TemporaryDirectory(prefix="punie-eval-", ignore_cleanup_errors=True) as scratch:
        root = Path(scratch) / (case.fixture_folder.name if case.fixture else "project")
        try:
            before = after = _prepare(case, root)
            agent = make_agent(Workspace(root, _approver(case), missing=case.missing, enclosure=where_possible()))
            # Not the path of the scratch folder: it would make two runs of a case differ.
            name, core = agent.engine.name, agent.renderer.core
            records += _kept(Started(name, agent.engine.adapter, core.hash, root=root.name))
            start = time.monotonic()
            try:
                for prompt in case.prompts:
                    async with aclosing(agent.turn(prompt)) as turn:
                        async for event in turn:
                            records += _kept(event)
            finally:
                seconds = time.monotonic() - start
                after = snapshot(root)
            if score_files(case.expect, before, after).ok:
                checked = await check(case.expect, root)
        except InterruptedByUser:
            raise
        except PunieError as error:
            records += _kept(Failed(int(error.exit_code), error.message, error.hint))
        except Exception as problem:
            log.exception("case %s crashed", case.name)
            records += _kept(Failed(int(Exit.FAILED), f"{type(problem).__name__}: {problem}", None))
    found = score(case.expect, records, before, after, checked)
    return CaseOutcome(case, found, tuple(records), seconds, before, after)


def _prepare(case: Case, root: Path) -> dict[str, str]:
    """Make the project of a case, an empty one without a fixture, and return its files."""
    if case.fixture:
        shutil.copytree(case.fixture_folder, root, ignore=shutil.ignore_patterns(*CACHES))
    else:
        root.mkdir()
    for path, text in case.files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode())
    return snapshot(root)


def _approver(case: Case) -> Approver:
    """Yes to what the case allows; for the rest a person who says no, or nobody."""
    rules = no_terminal(frozenset(case.allow))

    async def decide(question: Question) -> Decision:
        decision = await rules(question)
        return Decision(False, "person") if case.refused and not decision.allowed else decision

    return decide


def _kept(event: Event) -> list[Record]:
    line = record(event)
    return [line] if line else []
