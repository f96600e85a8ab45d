"""Commands about what answers: the model, its adapter, its prompt, its context."""

from typing import TYPE_CHECKING

from punie_cli.chat.commands import Command

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat


def _model(chat: "Chat", argument: str) -> None:
    agent, started = chat.agent, chat.started
    rows = [
        ("model", started.model or "none"),
        ("adapter", started.adapter or "none"),
        ("prompt", (started.prompt_hash or "")[:12]),
        ("context", f"{agent.context} tokens" if agent.context else "not known"),
    ]
    chat.view.write("".join(f"{name:8} {value}\n" for name, value in rows))


COMMANDS = (Command("/model", "show the model, its adapter and its prompt", _model),)
