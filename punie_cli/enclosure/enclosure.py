"""The enclosure of a session: how commands are wrapped, what was seen afterwards, what a person is told."""

import contextlib
import dataclasses
import errno
import os
import tempfile
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from punie_cli.approvals import visible
from punie_cli.enclosure import explain, watch
from punie_cli.enclosure.level import NONE, Level, level
from punie_cli.enclosure.needs import needs_network, writes_git
from punie_cli.enclosure.places import make_plan
from punie_cli.processes import Completed

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish"})


@dataclass
class Wrapped:
    """A command as it is started; `finish` makes its end what it would be without the enclosure."""

    argv: list[str]
    variables: dict[str, str]
    finish: Callable[[Completed], Completed]


@dataclass(frozen=True)
class Terms:
    """What one command gets: the network, a writable .git; and the rule and the words of the question about it."""

    rule: Literal["run", "network", "outside"] = "run"
    network: bool = False
    git: bool = False
    words: str = ""


@dataclass
class Enclosure:
    """`level` is what this machine has; `warn` tells the person, each thing once. `open`: nothing is enclosed."""

    level: Level
    warn: Callable[[str], None] = lambda text: None
    open: bool = False
    _told: set[str] = field(default_factory=set)

    @property
    def works(self) -> bool:
        """Whether commands are enclosed."""
        return self.level.encloses and not self.open

    def terms(self, command: str | list[str] = "") -> Terms:
        """The terms of a command; without one those of the tests. Where nothing can be enclosed, each one asks."""
        if self.open:
            return Terms(words=" (not enclosed)")
        if not self.works:
            self.tell_level()
            return Terms(rule="outside", words=" (not enclosed: this machine cannot)")
        network, git = needs_network(command), writes_git(command)
        also = " and ".join(["with network"] * network + [".git can be written"] * git)
        return Terms("network" if network else "run", network, git, f" ({also})" if also else "")

    def tell_level(self) -> None:
        """Warn, once, about a layer that is missing."""
        if self.level.missing:
            hint = f" ({self.level.hint})" if self.level.hint else ""
            self._tell(f"{self.level.missing}{hint}")

    @contextlib.contextmanager
    def wrap(
        self,
        argv: list[str],
        root: Path,
        variables: Mapping[str, str],
        terms: Terms = Terms(),
        tmp: Path | None = None,
    ) -> Generator[Wrapped]:
        """`argv` enclosed in `root`, with `tmp` or a new folder as TMPDIR, which is removed afterwards.

        Raises OSError for what cannot be executed, as a start outside does.
        """
        if not os.access(argv[0], os.X_OK) or Path(argv[0]).is_dir():
            number = errno.EACCES if os.path.lexists(argv[0]) else errno.ENOENT
            raise OSError(number, os.strerror(number), argv[0])
        self.tell_level()
        with contextlib.ExitStack() as stack:
            if tmp is None:
                made = tempfile.TemporaryDirectory(prefix="punie-", ignore_cleanup_errors=True)
                tmp = Path(stack.enter_context(made))
            needed = [argv[0], *([variables["VIRTUAL_ENV"]] if "VIRTUAL_ENV" in variables else [])]
            plan = make_plan(root, tmp, network=terms.network, git=terms.git, needed=needed)
            before = watch.state(root)
            shell = Path(argv[0]).name in _SHELLS

            def finish(done: Completed) -> Completed:
                if self.level.mechanism == "bubblewrap" and 128 < done.exit_code <= 128 + 64 and not shell:
                    done = dataclasses.replace(done, exit_code=128 - done.exit_code)
                changed = [] if terms.git else watch.changes(before, watch.state(root))
                if changed:
                    self.warn(f"a command changed {visible(', '.join(changed))}: look at it before you use git there")
                if done.exit_code and not done.timed_out:
                    reason = explain.explanation(f"{done.stdout}\n{done.stderr}", network=terms.network)
                    if reason:
                        end = "" if not done.stderr or done.stderr.endswith("\n") else "\n"
                        done = dataclasses.replace(done, stderr=f"{done.stderr}{end}({reason})\n", refused=reason)
                        self._tell(f"a command failed: {reason}; what you type yourself is not enclosed")
                return done

            own = {"TMPDIR": plan.tmp, "XDG_CACHE_HOME": f"{plan.tmp}/cache"}
            yield Wrapped(self.level.argv(plan, argv), own, finish)

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.warn(text)


def enclosure(commands: str, warn: Callable[[str], None] = lambda text: None) -> Enclosure:
    """What the setting `commands` asks for. Tries the machine, the first time."""
    return Enclosure(NONE, warn, open=True) if commands == "open" else Enclosure(level(), warn)


def where_possible() -> Enclosure | None:
    """For the cases of a suite: None where a machine cannot, since the scores still have to be those of the cases."""
    found = enclosure("enclosed")
    return found if found.works else None
