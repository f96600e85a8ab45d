"""Training on several hosts: each takes its share of every step's rows, and sums over all of them what that came to.

Sums go over MLX's own back ends (ring, MPI, JACCL, NCCL). Gradients are summed with their tokens and divided once, so
that hosts with unequal rows make the step that one alone would make. The first host writes; `training.watch` ends the
run when one of them is gone.
"""

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import mlx.core as mx
from mlx.utils import tree_flatten, tree_map, tree_unflatten

from punie_cli.errors import InterruptedByUser, PunieError, UsageError
from punie_cli.training.checkpoint import Progress
from punie_cli.training.watch import MEMBER

_WATCH_S = 15.0
# What the first host has to say to a question.
_ANSWER, _STOPPED = 0.0, 1.0


class Group:
    """The hosts of one run; `rank` is this one's number, from 0.

    Made in a process that `training.watch` has started: it hears what this host does.
    """

    def __init__(self, backend: str) -> None:
        self._lock = threading.Lock()
        self._told = _follow_watch()
        self.tell(doing="init")
        try:
            # Blocks, with Python's lock held, until the others are there.
            self._group = mx.distributed.init(strict=True, backend=backend)
        except (RuntimeError, ValueError) as problem:
            raise UsageError(
                f"MLX's {backend} back end does not start: {problem}", "punie train --help, see --hosts and --backend"
            ) from problem
        self.rank, self.size = self._group.rank(), self._group.size()
        self.tell(doing="work")

    def tell(self, **news: Any) -> None:
        """Say to this host's watch what is done now: `doing`, or the last `checkpoint`."""
        with self._lock:
            if self._told >= 0:
                os.write(self._told, (json.dumps(news) + "\n").encode())

    def sum(self, values: list[float], tree: Any) -> tuple[list[float], Any]:
        """Numbers and a tree of arrays, each summed over all hosts, in one exchange; float32."""
        pairs: Any = tree_flatten(tree)
        # A state that was read from a file comes in another order than one that was made.
        arrays = sorted(pairs, key=lambda pair: pair[0])
        flat = mx.concatenate([mx.array(values, mx.float32), *(a.astype(mx.float32).reshape(-1) for _, a in arrays)])
        with self._exchange():
            summed = mx.distributed.all_sum(flat, group=self._group)
            mx.eval(summed)
        found, start = [], len(values)
        for name, array in arrays:
            found.append((name, summed[start : start + array.size].reshape(array.shape).astype(array.dtype)))
            start += array.size
        numbers: Any = summed[: len(values)].tolist()
        return numbers, tree_unflatten(found) if found else tree

    def follow(self, model: Any, optimizer: Any, progress: Progress) -> Progress:
        """Bring every host to the state of the first: weights, optimizer, progress."""
        first = self.rank == 0
        state = {"model": model.trainable_parameters(), "optimizer": optimizer.state}
        # Adam counts steps in uint64, which no back end sums.
        step = optimizer.state["step"]
        state["optimizer"] = {k: v for k, v in optimizer.state.items() if k != "step"}
        shared = tree_map(lambda value: value if first else mx.zeros_like(value), state)
        (count,), shared = self.sum([float(step.item()) if first else 0.0], shared)
        model.update(shared["model"])
        optimizer.state = shared["optimizer"] | {"step": mx.array(round(count), mx.uint64)}
        mx.eval(model.parameters(), optimizer.state)
        fields = json.loads(self.first_text(json.dumps(asdict(progress)) if first else ""))
        fields["losses"] = [tuple(pair) for pair in fields["losses"]]
        return Progress(**fields)

    def ask_first(self, question: Callable[[], float]) -> float:
        """The first host's answer, on all hosts. Raises InterruptedByUser on all where it raises that."""
        kind, answer = _ANSWER, 0.0
        if self.rank == 0:
            try:
                answer = question()
            except InterruptedByUser:
                kind = _STOPPED
        (kind, answer), _ = self.sum([kind, answer], {})
        if kind == _STOPPED:
            raise InterruptedByUser("stopped")
        return answer

    def require_same(self, facts: dict[str, Any]) -> None:
        """Raise UsageError on all hosts that names what is not the same on all of them (recipe, rows, base model)."""
        for name, value in facts.items():
            # Three bytes: a float32 holds them exactly.
            digest = int.from_bytes(hashlib.sha256(str(value).encode()).digest()[:3], "big")
            seen = [float(digest) if rank == self.rank else 0.0 for rank in range(self.size)]
            seen, _ = self.sum(seen, {})
            other = [rank for rank, found in enumerate(seen) if found != seen[0]]
            if other:
                raise UsageError(
                    f"host {other[0]} has another {name} than host 0", "copy rows, models and phases to all hosts"
                )

    def first_text(self, text: str) -> str:
        """The first host's text, on all hosts."""
        data = text.encode()
        (length,), _ = self.sum([float(len(data))], {})
        padded = list(data) or [0] * round(length)
        values, _ = self.sum([float(byte) for byte in padded], {})
        return bytes(round(value) for value in values).decode()

    @contextmanager
    def _exchange(self) -> Generator[None]:
        self.tell(doing="sum")
        try:
            yield
        except RuntimeError as problem:
            # The watch knows which host, and the last checkpoint; it ends this process when it has heard.
            time.sleep(_WATCH_S)
            raise PunieError(
                f"host {self.rank} has lost another host: {problem}", "start all of them again with --resume"
            ) from problem
        self.tell(doing="work")


def _follow_watch() -> int:
    """The pipe to this host's watch; this process ends when the watch does. -1 without a watch."""
    if MEMBER not in os.environ:
        return -1
    told, leash = (int(part) for part in os.environ[MEMBER].split(","))

    def follow() -> None:
        os.read(leash, 1)
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
    return told
