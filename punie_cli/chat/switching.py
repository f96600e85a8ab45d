"""`/model` and `/phase`: what answers, and another one in its place. The conversation goes on with it."""

import asyncio
import contextlib
import re
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from punie_cli.agent.events import Started, Switched
from punie_cli.agent.open import Choice, choose, go_on, reopen, swap
from punie_cli.chat.bar import phase_of
from punie_cli.chat.commands import Command
from punie_cli.chat.screen import Screen
from punie_cli.errors import BusyError, PunieError
from punie_cli.models import store
from punie_cli.settings import Settings

if TYPE_CHECKING:
    from punie_cli.chat.repl import Chat

_PHASE = re.compile(r"(?:phase[- ])?(\d+)")


async def _model(chat: "Chat", argument: str) -> None:
    if not argument:
        _tell(chat)
        return
    settings = chat.settings.model_copy(update={"model": argument, "adapter": None})
    await _switch(chat, settings, await asyncio.to_thread(choose, settings))


async def _phase(chat: "Chat", argument: str) -> None:
    if not argument:
        _tell_phases(chat)
        return
    name = await asyncio.to_thread(_adapter, chat, argument)
    settings = chat.settings.model_copy(update={"model": chat.started.model, "adapter": name})
    await _switch(chat, settings, await asyncio.to_thread(choose, settings))


def _adapter(chat: "Chat", argument: str) -> str:
    """The setting that an argument of /phase means; numbers are phases, all else is the name of an adapter."""
    number = _PHASE.fullmatch(argument)
    if number is None or store.adapter_folder(argument) is not None:
        return argument
    from punie_cli.agent.adapters import of_phase

    model = chat.started.model
    return str(of_phase(int(number[1]), model or "", store.find(model)).folder)


async def _switch(chat: "Chat", settings: Settings, choice: Choice) -> None:
    """Let another model or adapter answer; what answers now stays where that fails."""
    # Both are what was found, also where another process puts something else in use meanwhile.
    adapter = str(choice.adapter) if choice.adapter else "none"
    settings = settings.model_copy(update={"model": choice.name, "adapter": adapter})
    started, before = None, chat.started
    if choice.name == before.model:
        chat.view.busy("changing the adapter")
        started = await _whole(_swap(chat, settings, choice))
    if started is None:
        started = await _load(chat, settings, choice)
        _now(chat, settings, started)
    said = f"{started.model}, adapter {_shown(started)}"
    anew = "; the conversation is read again" if chat.agent.messages and started != before else ""
    chat.view.note(f"{said}{anew}")


async def _swap(chat: "Chat", settings: Settings, choice: Choice) -> Started | None:
    started = await swap(chat.agent, choice)
    if started is not None:
        _now(chat, settings, started)
    return started


async def _load(chat: "Chat", settings: Settings, choice: Choice) -> Started:
    agent, old = chat.agent, chat.agent.engine
    beside = await asyncio.to_thread(_fits, chat, choice)
    if not beside:
        chat.view.note(f"{chat.started.model} is given up first: both do not fit into the memory")
        await old.close()
    chat.view.busy(f"loading {choice.name}")
    try:
        connected = await chat.connect(settings)
        try:
            started = go_on(agent, connected)
        except BaseException:
            await connected.engine.close()
            raise
    except BaseException:
        if not beside:
            chat.view.busy(f"loading {chat.started.model} again")
            await reopen(agent, chat.settings, chat.connect)
        raise
    finally:
        chat.view.idle()
    if beside:
        await old.close()
    return started


def _fits(chat: "Chat", choice: Choice) -> bool:
    """Whether the model fits beside the present one; BusyError where it does not even in its place."""
    from punie_cli.models import room

    need, free, held = room.need(choice.model), room.free(), 0
    with contextlib.suppress(PunieError):
        held = room.need(store.find(chat.started.model))
    if need > free + held:
        would = f"{_gigabytes(free + held)} would be free without {chat.started.model}"
        raise BusyError(f"model {choice.name} needs {_gigabytes(need)}, {would}", "punie models")
    return need <= free


async def _whole(work: Coroutine[Any, Any, Started | None]) -> Started | None:
    """Do it to the end, also when Ctrl-C comes: the engine and what it is asked with must stay together."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with contextlib.suppress(PunieError):
            await task
        raise


def _now(chat: "Chat", settings: Settings, started: Started) -> None:
    before, chat.started, chat.settings = chat.started, started, settings
    if isinstance(chat.view, Screen):
        # What the last reply took says nothing about the next.
        chat.view.usage = None
    if chat.recorder.begun and started != before:
        chat.recorder.note(Switched(started.model, started.adapter, started.prompt_hash))


def _tell(chat: "Chat") -> None:
    import psutil

    from punie_cli.costs import last_usage

    agent, started = chat.agent, chat.started
    usage = last_usage(chat.recorder.session)
    memory = _gigabytes(psutil.Process().memory_info().rss)
    if usage and usage.peak_gb:
        memory += f", MLX {usage.peak_gb:.2f} GB at most"
    rows = [
        ("model", started.model or "none"),
        ("adapter", _shown(started)),
        ("prompt", (started.prompt_hash or "")[:12]),
        ("context", f"{agent.context} tokens" if agent.context else "not known"),
        ("memory", memory),
        ("speed", f"{usage.tokens_per_s:.1f} tokens/s" if usage and usage.tokens_per_s else "not known yet"),
        ("builtins", ", ".join(agent.registry.names)),
    ]
    if started.adapter is None and (phase := _fused_from(started.model)) is not None:
        rows.insert(2, ("phase", str(phase)))
    chat.view.write("".join(f"{name:8}  {value}\n" for name, value in rows))


def _fused_from(model: str | None) -> int | None:
    """The phase whose adapter a model was fused with; None for another model."""
    from punie_cli.evaluation.subject import phase_of as phase_of_choice

    try:
        folder = store.find(model)
    except PunieError:
        return None
    return phase_of_choice(Choice(model or "", folder, None, None))


def _tell_phases(chat: "Chat") -> None:
    from punie_cli.agent.adapters import adapters

    used, lines = chat.started.adapter, []
    for info in adapters():
        phase = phase_of(info.name)
        parts = [info.name, *([phase] if phase != info.name else []), *([f"on {info.base}"] if info.base else [])]
        lines.append(f"{'*' if info.name == used else ' '} {', '.join(parts)}\n")
    chat.view.write("".join([*lines, f"{'*' if used is None else ' '} none\n"]))


def _shown(started: Started) -> str:
    """The adapter with its phase, where it has one."""
    adapter, phase = started.adapter or "none", phase_of(started.adapter)
    return adapter if phase in (adapter, "no adapter") else f"{adapter} ({phase})"


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB"


def _models(chat: "Chat") -> list[str]:
    return [model.name for model in store.list_models()]


def _phases(chat: "Chat") -> list[str]:
    from punie_cli.agent.adapters import adapters

    found = [info for info in adapters() if info.base in ("", chat.started.model)]
    numbers = sorted({info.phase for info in found if info.phase is not None})
    return [*map(str, numbers), *(info.name for info in found), "none"]


COMMANDS = (
    Command("/model", "show what answers, or let another model of the store answer", _model, "[NAME]", _models),
    Command("/phase", "list the adapters, or change to that of a phase", _phase, "[N|NAME|none]", _phases),
)
