"""Runs punie's command line in this process: whole stdout, stderr and exit code, replies from a queue."""

import io
import json
import sys
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

from punie_cli.agent.open import Connected
from punie_cli.cli import App, run
from punie_cli.engine.base import Finish
from punie_cli.settings import Settings
from tests.fake import QueueEngine


class CharTokenizer:
    """ChatML without a model: one token for each character."""

    all_special_tokens = ("<|im_start|>", "<|im_end|>")
    has_tool_calling = False

    def encode(self, text: str, *, add_special_tokens: bool = True) -> list[int]:
        return [ord(character) for character in text]

    def apply_chat_template(self, conversation: list[dict[str, Any]], **options: Any) -> str:
        text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in conversation)
        return text + ("<|im_start|>assistant\n" if options["add_generation_prompt"] else "")


@dataclass(frozen=True)
class Ran:
    """What one command line came to."""

    code: int
    stdout: str
    stderr: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The JSON lines of stdout, each without its session, which is the same in all, and without seconds."""
        records = [json.loads(line) for line in self.stdout.splitlines()]
        assert len({record.pop("session") for record in records}) == 1
        for record in records:
            record.pop("seconds", None)
        return records


def app(replies: Iterable[str | tuple[str, Finish]], *, context: int | None = None) -> App:
    """The command line with an engine that answers from a queue."""
    engine = QueueEngine(replies)

    async def connect(settings: Settings) -> Connected:
        return Connected(engine, CharTokenizer(), context=context)

    return App(connect=connect)


def punie(
    *args: str, replies: Iterable[str | tuple[str, Finish]] = (), stdin: str | bytes = "", use: App | None = None
) -> Ran:
    """Run `punie ARGS`; nothing is a terminal."""
    out, err = io.StringIO(), io.StringIO()
    data = stdin.encode() if isinstance(stdin, str) else stdin
    before = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(data))
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = run(list(args), use or app(replies))
    finally:
        sys.stdin = before
    return Ran(int(code), out.getvalue(), err.getvalue())


def program(code: str) -> str:
    """A reply that acts."""
    return f"<code>\n{code}\n</code>"
