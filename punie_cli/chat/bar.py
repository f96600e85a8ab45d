"""The values of the toolbar, from a conversation. Looked up at events; what a key press costs is a few attributes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from punie_cli import paths
from punie_cli.chat.screen import Screen
from punie_cli.chat.toolbar import Bar
from punie_cli.models.store import adapter_folder

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat


class Stand:
    """What the last events of a conversation came to."""

    def __init__(self) -> None:
        self._training = ""
        self._phase: tuple[str | None, str] = (None, "no adapter")

    def look(self) -> None:
        """Look for a training that runs now."""
        self._training = training_now()

    def bar(self, chat: "Chat") -> Bar:
        """The toolbar of this moment."""
        view, usage, activity = chat.view, None, ""
        if isinstance(view, Screen):
            # A new conversation has used nothing yet.
            usage = view.usage if chat.agent.messages else None
            activity = view.activity if chat.busy else ""
        adapter = chat.started.adapter
        if self._phase[0] != adapter:
            self._phase = (adapter, phase_of(adapter))
        return Bar(
            activity=activity,
            queued=chat.reader.queued,
            model=Path(chat.started.model or "").name,
            phase=self._phase[1],
            used=usage.prompt_tokens + usage.completion_tokens if usage else None,
            context=chat.agent.context,
            tokens_per_s=usage.tokens_per_s if usage else 0.0,
            memory_gb=usage.peak_gb if usage else 0.0,
            mode=chat.standing.mode,
            training=self._training,
        )

    def reading(self, chat: "Chat", count: int) -> None:
        """The engine begins to read a prompt of `count` tokens; what it has of the last one it does not read again."""
        view = chat.view
        if isinstance(view, Screen):
            usage = view.usage
            known = usage.prompt_tokens + usage.completion_tokens if usage else len(chat.agent.renderer.core_tokens)
            left = count - known
            # After a turn that was stopped less is there than was counted last.
            view.busy(f"reading {left} token{'' if left == 1 else 's'}" if left > 0 else "reading")


def phase_of(adapter: str | None) -> str:
    """`phase 23` for an adapter that a phase made, else its name."""
    if adapter is None:
        return "no adapter"
    folder = adapter_folder(adapter)
    try:
        phase = json.loads((folder / "punie.json").read_text(encoding="utf-8"))["phase"] if folder else None
    except (OSError, ValueError, KeyError, TypeError):
        phase = None
    return f"phase {phase}" if isinstance(phase, int) else adapter


def training_now() -> str:
    """The newest run that trains now, with its step; empty for none. Reads the end of one file."""
    folder = paths.data_dir() / "runs"
    if not folder.is_dir():
        return ""
    # Needs psutil, which a chat without runs does not.
    from punie_cli.training.process import trainer

    open_ones = [path for path in folder.glob("*-*") if not (path / "done.json").exists()]
    for path in sorted(open_ones, reverse=True):
        if trainer(path) is not None:
            return f"{path.name} {_step(path)}".rstrip()
    return ""


def _step(folder: Path) -> str:
    try:
        with (folder / "metrics.jsonl").open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
        for line in reversed(lines):
            if '"type": "step"' in line:
                step = json.loads(line)
                return f"{step['step']}/{step['steps']}"
    except (OSError, ValueError, KeyError):
        pass
    return ""
