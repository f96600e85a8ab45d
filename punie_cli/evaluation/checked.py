"""What real ty, ruff and pytest say of the files that a case left behind.

They run through the builtins, so that a tool that failed is never one that found nothing. `tests` runs what the model
wrote, as the case asks.
"""

from pathlib import Path

from punie_cli.approvals import no_terminal
from punie_cli.builtins.registry import Outcome, Registry
from punie_cli.enclosure.enclosure import where_possible
from punie_cli.evaluation.suites import Expect
from punie_cli.tool_output import counted
from punie_cli.workspace import Workspace

# The count that must be zero, and what it counts.
_COUNTS = {"typecheck": ("error_count", "type error"), "lint": ("count", "lint finding")}


async def check(expect: Expect, root: Path) -> tuple[str, ...]:
    """What the checks of a case have against its files, one text each; empty if all is well."""
    workspace = Workspace(root, no_terminal(frozenset({"run"})), enclosure=where_possible())
    registry = Registry(("typecheck", "lint", "test"))
    wanted = [("typecheck", path) for path in expect.typechecks]
    wanted += [("lint", path) for path in expect.lints]
    wanted += [("test", path) for path in expect.tests]
    found = [_problem(await registry.call(name, {"path": path}, workspace), path) for name, path in wanted]
    return tuple(text for text in found if text)


def _problem(outcome: Outcome, path: str) -> str:
    """What one check found, in one line; empty for a clean one."""
    name, result = outcome.builtin, outcome.result
    if outcome.error:
        return f"{name} of {path} failed: {outcome.error['message']}"
    if not outcome.ok:
        return f"{name} of {path} failed: {result['tool_error']}"
    if name == "test":
        if not result["success"]:
            bad = result["failed"] + result["errors"]
            return f"{counted(bad, 'test')} of {path} did not pass" if bad else f"tests of {path}: {result['note']}"
        return "" if result["passed"] else f"no test of {path} passed"
    count, what = _COUNTS[name]
    if result[count]:
        return f"{path} has {counted(result[count], what)}"
    # Nothing was found because nothing was looked at.
    return f"{name} of {path}: {result['note']}" if result["note"] else ""
