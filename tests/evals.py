"""Evaluations made by hand: what `punie eval` would have kept."""

from collections.abc import Iterable, Sequence
from typing import Any

from punie_cli.evaluation.results import CaseRun, EvalRun, Subject, Verdict

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> \x1b[31mred\x1b[0m \u202eevil \x00 & \"'"


def case_run(
    name: str,
    passed: bool = True,
    *,
    suite: str = "core",
    group: str = "fix",
    sample: int = 0,
    prompts: Sequence[str] = ("how many type errors are in shop/cart.py?",),
    code: str = 'print(len(typecheck("shop/cart.py").errors))',
    answer: str = "There are 3 type errors.",
    diff: str = "",
    **fields: Any,
) -> CaseRun:
    """A case of one program and one answer; one that fails, fails by its answer."""
    reason = "" if passed else "the answer does not state 3"
    call: dict[str, Any] = {"type": "call", "builtin": "typecheck", "args": {"path": "shop/cart.py"}, "ok": True}
    call |= {"result": {"success": True, "error_count": 3}, "error": None, "seconds": 0.25}
    records: list[dict[str, Any]] = [{"type": "session", "model": "m", "adapter": None, "prompt_hash": None}]
    for prompt in prompts:
        records += [
            {"type": "prompt", "text": prompt},
            {"type": "program", "code": code},
            call,
            {"type": "output", "text": "3\n", "error": None, "truncated": False},
            {"type": "answer", "text": answer, "finish": "stop"},
        ]
    made: dict[str, Any] = {
        "suite": suite,
        "case": name,
        "group": group,
        "sample": sample,
        "passed": passed,
        "calls": Verdict(ok=True),
        "files": Verdict(ok=True),
        "answer": Verdict(ok=passed, reason=reason),
        "reason": reason,
        "prompts": tuple(prompts),
        "steps": 2,
        "prompt_tokens": 400,
        "completion_tokens": 40,
        "seconds": 1.5,
        "diff": diff,
        "records": tuple(records),
    }
    return CaseRun(**made | fields)


def eval_run(cases: Iterable[CaseRun], name: str = "e0001", model: str = "small", **fields: Any) -> EvalRun:
    """A finished run of these cases. Keys of a Subject go to it."""
    cases = tuple(cases)
    suites = tuple(dict.fromkeys(case.suite for case in cases))
    subject: dict[str, Any] = {
        "model": model,
        "path": f"/models/{model}",
        "weights": "ab" * 32,
        "adapter": None,
        "adapter_path": None,
        "adapter_hash": None,
        "prompt_hash": "cd" * 32,
        "phase": None,
        "bits": 16.0,
    }
    subject |= {key: fields.pop(key) for key in list(fields) if key in subject}
    made: dict[str, Any] = {
        "id": name,
        "started": "2026-11-25T10:00:00+00:00",
        "finished": "2026-11-25T10:05:00+00:00",
        "subject": Subject(**subject),
        "suites": suites,
        "suite_hashes": dict.fromkeys(suites, "ef" * 32),
        "samples": max((case.sample for case in cases), default=0) + 1,
        "temperature": 0.0,
        "batch": 1,
        "seconds": 300.0,
        "versions": {"punie": "0.1.0", "mlx": "0.32.4"},
        "limits": {"max_steps": 8},
        "cases": cases,
        "of": len(cases),
    }
    return EvalRun(**made | fields)


def passes(pattern: str, **fields: Any) -> list[CaseRun]:
    """Cases c0, c1, …: `+` for one that passes, `-` for one that does not."""
    return [case_run(f"c{n}", mark == "+", **fields) for n, mark in enumerate(pattern)]
