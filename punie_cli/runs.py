"""Runs as tables and lines of text; `render` prints them."""

import time
from dataclasses import asdict
from typing import Any

from punie_cli.listings import Listing
from punie_cli.phases import size_text, value_text
from punie_cli.progress import duration
from punie_cli.tool_output import counted
from punie_cli.training.plots import figures
from punie_cli.training.runs import Compared, Run, Waste, flat, list_runs

_HASHES = ("recipe_hash", "data_hash", "validation_hash", "prompt_hash")


def runs() -> Listing:
    """All runs, the newest first."""
    found = list_runs()
    now = time.time()
    rows: list[tuple[str, ...]] = [
        (
            run.name,
            str(run.config.get("phase", "")),
            run.state,
            f"{run.step}/{run.steps}",
            "" if run.loss is None else f"{run.loss:.4f}",
            "" if run.probe is None else f"{run.probe:.0%}",
            "" if run.tokens_per_s is None else f"{run.tokens_per_s:.0f}",
            age(now - run.began),
            size_text(run.size),
        )
        for run in found
    ]
    head = ("run", "phase", "state", "steps", "loss", "probe", "tokens/s", "age", "size")
    return Listing(head, rows, [brief(run) for run in found], "no runs yet; `punie train --phase 23` makes one")


def brief(run: Run) -> dict[str, Any]:
    """A run for JSON, without its curves and its recipe."""
    fields = asdict(run) | {"folder": str(run.folder), "phase": run.config.get("phase")}
    return {key: value for key, value in fields.items() if key not in ("config", "stages", "curves")}


def card(run: Run) -> dict[str, Any]:
    """All about one run, in the order in which it is shown."""
    config = run.config
    base, git = config.get("base", {}), config.get("git") or {}
    shown: dict[str, Any] = {
        "run": run.name,
        "folder": run.folder,
        "state": f"{run.state}, step {run.step} of {run.steps}",
        "reason": run.reason,
        "hint": run.hint,
        **figures(run),
        "base": f"{base.get('name')} {base.get('hash', '')[:12]}",
        "rows": config.get("rows"),
    }
    shown |= {name.replace("_", " "): str(config.get(name, ""))[:12] for name in _HASHES}
    shown["versions"] = ", ".join(f"{name} {version}" for name, version in config.get("versions", {}).items())
    shown["numbers"] = ", ".join(f"{name} {value}" for name, value in config.get("numbers", {}).items())
    shown["commit"] = f"{git['commit'][:12]}{' with changes' if git.get('dirty') else ''}" if git.get("commit") else ""
    for stage in run.stages.get("stages", []):
        done = ", ".join(f"{name} {_short(value)}" for name, value in stage["figures"].items())
        shown[f"stage {stage['stage']}"] = f"{duration(stage['seconds'])}: {done}"
    if run.stages.get("share") is not None:
        verdict = "passed" if run.stages.get("passed") else "not passed"
        shown["gate"] = f"{run.stages['share']:.0%} of {run.stages['n']}, {verdict}"
    shown |= {name: value_text(value) for name, value in flat(config.get("recipe", {})).items()}
    return shown


def record(run: Run) -> dict[str, Any]:
    """A run for JSON, whole."""
    return brief(run) | {"config": run.config, "stages": run.stages, "curves": asdict(run.curves)}


def comparison(found: Compared) -> Listing:
    """Runs side by side: what differs, then what they came to."""
    rows: list[tuple[str, ...]] = [
        (key, *(value_text(value) for value in values)) for key, values in found.keys.items()
    ]
    told = [{"state": run.state, "steps": f"{run.step}/{run.steps}"} | figures(run) for run in found.runs]
    for name in told[0]:
        if name != "adapter" and any(figure[name] for figure in told):
            rows.append((name, *(figure[name] or "-" for figure in told)))
    items = [{"key": key, "values": list(values)} for key, values in found.keys.items()]
    return Listing(
        ("", *(run.name for run in found.runs)), rows, [{"differs": items, "runs": list(map(brief, found.runs))}]
    )


def waste(found: list[Waste]) -> Listing:
    """What could be deleted, by run."""
    rows: list[tuple[str, ...]] = [
        (each.run.name, size_text(each.size), counted(len(each.folders), "checkpoint"), each.why) for each in found
    ]
    items = [
        {"run": each.run.name, "size": each.size, "folders": [str(path) for path in each.folders], "why": each.why}
        for each in found
    ]
    return Listing(("run", "size", "what", "why"), rows, items, "nothing to delete")


def age(seconds: float) -> str:
    """`45 s`, `12 min`, `3 h`, `5 days`."""
    if seconds < 36 * 3600:
        return f"{seconds / 3600:.0f} h" if seconds >= 5400 else duration(max(seconds, 0))
    return f"{seconds / 86400:.0f} days"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else value_text(value)
