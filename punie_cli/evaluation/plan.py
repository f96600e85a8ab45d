"""What an evaluation is to run, and the share that it must reach."""

import difflib
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from punie_cli.agent.open import Connect, Connected, connect_mlx
from punie_cli.errors import GateError, MissingError, UsageError
from punie_cli.evaluation import suites
from punie_cli.evaluation.results import EvalRun
from punie_cli.evaluation.scores import scores
from punie_cli.evaluation.suites import Case, Suite
from punie_cli.settings import Settings

# More at once gain little, and each needs memory for what it has read.
_BATCH = 8
_DEFAULT = ("foundation", "phase23")


@dataclass(frozen=True)
class Plan:
    """What is to be run: cases of suites, each `samples` times. `only` are names of cases, all without one."""

    suites: tuple[Suite, ...]
    only: tuple[str, ...] = ()
    samples: int = 1
    temperature: float = 0.0
    batch: int = 1

    def __post_init__(self) -> None:
        if self.samples > 1 and self.temperature <= 0:
            raise UsageError(
                f"{self.samples} samples of a case are all the same at temperature 0",
                f"punie eval --samples {self.samples} --temperature 0.7",
            )
        known = [case.name for suite in self.suites for case in suite.case]
        for name in self.only:
            if name not in known:
                where = ", ".join(suite.name for suite in self.suites)
                raise UsageError(f"no case '{name}' in {where}; {_near(name, known)}", "punie eval --case NAME")

    @property
    def tries(self) -> list[tuple[Suite, Case, int]]:
        """Every sample of every case in the order of the result."""
        return [
            (suite, case, sample)
            for suite in self.suites
            for case in suite.case
            if not self.only or case.name in self.only
            for sample in range(self.samples)
        ]

    def in_order(self, names: Sequence[str]) -> "Plan":
        """The same plan with its suites in this order: that of the run which it goes on with."""
        return replace(self, suites=tuple(sorted(self.suites, key=lambda suite: names.index(suite.name))))


def choose_suites(names: Sequence[str] = ()) -> tuple[Suite, ...]:
    """Suites by name or file, each once; without names those that every model should pass.

    Raises MissingError with near names for one that is not there.
    """
    known = suites.names()
    found: dict[str, Suite] = {}
    for name in names or [name for name in _DEFAULT if name in known]:
        if not name.endswith(".toml") and name not in known:
            raise MissingError(f"no suite '{name}'; {_near(name, known)}", f"punie eval --suite {known[0]}")
        suite = suites.load(name)
        if found.get(suite.name, suite) != suite:
            raise UsageError(f"two suites are named '{suite.name}'", "punie eval --suite NAME")
        found[suite.name] = suite
    return tuple(found.values())


def engine_for(temperature: float, batch: int | None = None) -> tuple[Connect, int]:
    """What opens an engine for so many cases at once, and how many that is where nothing is said.

    Then a model that cannot be batched answers one by one.
    """
    if batch:
        return functools.partial(connect_mlx, temperature=temperature, batch=batch), batch

    async def connect(settings: Settings) -> Connected:
        try:
            return await connect_mlx(settings, temperature=temperature, batch=_BATCH)
        except UsageError:
            return await connect_mlx(settings, temperature=temperature)

    return connect, _BATCH


def parse_share(text: str) -> float:
    """A share as people write it: `0.8`, `80` or `80%`; `1` is all. Raises UsageError."""
    try:
        value = float(text.strip().removesuffix("%"))
    except ValueError:
        value = math.nan
    if text.strip().endswith("%") or value > 1:
        value /= 100
    if not 0 <= value <= 1:
        raise UsageError(f"'{text}' is no share: it must be 0 to 1, or a percentage", "punie eval --min 0.8")
    return value


def require(run: EvalRun, least: float) -> None:
    """Raise GateError unless each suite of the run reaches this share (of all samples, where there are several)."""
    low = [(name, tally) for name, tally in scores(run).suites.items() if tally.share < least]
    if low:
        what = "; ".join(f"{name} has {tally.passed} of {tally.n} ({tally.share:.0%})" for name, tally in low)
        raise GateError(f"below {least:.0%}: {what}", f"punie eval show {run.id}")


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 3)
    return f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(dict.fromkeys(known))}"
