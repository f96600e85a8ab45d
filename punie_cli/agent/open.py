"""Puts an agent together: model and adapter in use, the prompt core they were trained under, sandbox, workspace.

async with open_agent(settings, workspace) as (agent, started): ...
"""

import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from punie_cli import paths
from punie_cli.agent.events import Started
from punie_cli.agent.loop import Agent
from punie_cli.agent.notes import Notes, agents_files
from punie_cli.agent.prompt import PromptCore, Renderer, dialect_for
from punie_cli.builtins.registry import Registry
from punie_cli.engine.base import Engine
from punie_cli.errors import MissingError
from punie_cli.models import store
from punie_cli.models.files import check_complete, read_record, weight_hash
from punie_cli.models.load import check_adapter
from punie_cli.sandbox.host import Sandbox
from punie_cli.settings import Settings, is_local
from punie_cli.workspace import Workspace


@dataclass(frozen=True)
class Choice:
    """What a session talks to. `core` is what it was trained under; None for a model that punie did not train."""

    name: str
    model: Path
    adapter: Path | None
    core: PromptCore | None


@dataclass(frozen=True)
class Connected:
    """An engine that is ready, with the tokenizer of its model; `context` in tokens, None where not known."""

    engine: Engine
    tokenizer: Any
    core: PromptCore | None = None
    context: int | None = None


Connect = Callable[[Settings], Awaitable[Connected]]


def choose(settings: Settings) -> Choice:
    """The model and the adapter for these settings; imports no mlx.

    Without a setting it is the model in use with its adapter; the embedded model has one that ships with punie.
    Raises MissingError for a model that is absent or incomplete and for an adapter that does not fit it.
    """
    folder = store.find(settings.model)
    check_complete(folder)
    name = store.name_of(folder)
    adapter = _adapter(name, settings.adapter)
    if adapter is None:
        core, owner = _core(read_record(folder), folder), f"model {name}"
    else:
        core, owner = _core(_check(adapter, name, folder), adapter), f"adapter {adapter.name}"
    if core is not None:
        core.check(owner)
    return Choice(name, folder, adapter, core)


def use(name: str, adapter: str | None = None) -> Choice:
    """Put a model in use, with an adapter that was checked, with `none`, or with the one that ships for it."""
    if adapter is not None:
        chosen = choose(Settings(model=name, adapter=adapter))
        # A name stays a name: what ships with punie moves when punie is installed anew.
        if is_local(adapter):
            adapter = str(chosen.adapter)
    store.use(name, adapter)
    return choose(Settings(model=name))


async def connect_mlx(settings: Settings, *, temperature: float = 0.0, batch: int = 1) -> Connected:
    """Load the chosen model on this machine: a second for the embedded one, a minute for the largest.

    With `batch` above 1 so many prompts are answered at the same time.
    """
    from punie_cli.engine.blas import load_blas

    choice = choose(settings)
    load_blas(settings.blas)
    if batch > 1:
        from punie_cli.engine.batch import BatchEngine

        engine = BatchEngine(choice.model, choice.adapter, size=batch, name=choice.name, temperature=temperature)
    else:
        from punie_cli.engine.mlx import MLXEngine

        engine = MLXEngine(choice.model, choice.adapter, name=choice.name, temperature=temperature)
    try:
        await engine.open()
    except BaseException:
        await engine.close()
        raise
    return Connected(engine, engine.tokenizer, choice.core, engine.context)


@contextlib.asynccontextmanager
async def open_agent(
    settings: Settings, workspace: Workspace, connect: Connect = connect_mlx, *, notes: bool = False
) -> AsyncGenerator[tuple[Agent, Started]]:
    """An agent over `workspace` and the first record of its session; closes the engine and the sandbox.

    With `notes` AGENTS.md files are in its tail, unless a setting forbids them.
    """
    connected = await connect(settings)
    engine = connected.engine
    agent: Agent | None = None
    try:
        registry, renderer = _under(connected)
        async with Sandbox(registry.specs()) as sandbox:
            agent = Agent(
                engine,
                renderer,
                registry,
                workspace,
                sandbox,
                max_steps=settings.max_steps,
                max_tokens=settings.max_tokens,
                context=connected.context,
                check_programs=settings.check_programs,
            )
            if notes:
                root = workspace.root
                files = agents_files(root, Path.cwd()) if settings.agents_md else []
                agent.notes = Notes(files, root, renderer.count, agent.context)
                agent.tail = agent.notes.tail
            yield agent, _started(agent)
    finally:
        # By now it may have another engine.
        await (engine if agent is None else agent.engine).close()


async def reopen(agent: Agent, settings: Settings, connect: Connect = connect_mlx) -> None:
    """Give an agent whose engine was closed the same model again."""
    connected = await connect(settings)
    agent.engine = connected.engine
    _use_core(connected.engine, agent.renderer)


def go_on(agent: Agent, connected: Connected) -> Started:
    """Go on with another model, or under another core: the conversation is kept, and rendered anew.

    The engine that the agent had is the caller's to close.
    """
    registry, renderer = _under(connected)
    agent.engine, agent.registry, agent.renderer = connected.engine, registry, renderer
    agent.context = connected.context
    agent.sandbox.offer(registry.specs())
    if agent.notes is not None:
        agent.notes.measure(renderer.count, agent.context)
        agent.tail = agent.notes.tail
    return _started(agent)


async def swap(agent: Agent, choice: Choice) -> Started | None:
    """Go on with another adapter on the base that is loaded; None for an engine that would have to load it again."""
    exchange = getattr(agent.engine, "swap", None)
    if exchange is None:
        return None
    await exchange(choice.adapter)
    return go_on(agent, Connected(agent.engine, agent.renderer.tokenizer, choice.core, agent.context))


def _under(connected: Connected) -> tuple[Registry, Renderer]:
    """What a model is rendered with, and may call: as it was trained, or as punie is today."""
    core = connected.core or PromptCore.build(Registry(), dialect_for(connected.tokenizer))
    registry = core.check(f"model {connected.engine.name}")
    renderer = Renderer(core, connected.tokenizer)
    _use_core(connected.engine, renderer)
    return registry, renderer


def _use_core(engine: Engine, renderer: Renderer) -> None:
    use_core = getattr(engine, "use_core", None)
    if use_core is not None:
        use_core(renderer.core_tokens)


def _started(agent: Agent) -> Started:
    engine = agent.engine
    return Started(engine.name, engine.adapter, agent.renderer.core.hash, str(agent.workspace.root))


def adapter_folder(name: str, model: str) -> Path:
    """The folder that an adapter setting means: one that ships, one below the data folder, or a local one."""
    folder = store.adapter_folder(name)
    if folder is None:
        raise MissingError(f"no adapter '{name}' for model {model}", f"punie models use {model} --adapter none")
    return folder


def _adapter(model: str, wanted: str | None) -> Path | None:
    if wanted is None:
        used = store.in_use()
        wanted = used.adapter if used.model == model else None
    if wanted == "none":
        return None
    if wanted is not None:
        return adapter_folder(wanted, model)
    shipped = paths.shipped_adapters() / model
    # A model outside the store is named by its path: no adapter ships for it.
    return shipped if not Path(model).is_absolute() and shipped.is_dir() else None


def _check(adapter: Path, model: str, folder: Path) -> dict[str, Any]:
    """The adapter's own record; raises MissingError unless it is whole and was trained on this model."""
    hint = f"punie models use {model} --adapter none"
    if not adapter.is_dir():
        raise MissingError(f"no adapter folder {adapter}", hint)
    try:
        check_adapter(adapter)
        record = json.loads((adapter / "punie.json").read_text(encoding="utf-8"))
        base = record.get("base") or {}
        trained_on = base.get("hash")
    except FileNotFoundError:
        return {}
    except MissingError as error:
        raise MissingError(error.message, hint) from error
    except (OSError, ValueError, AttributeError) as error:
        raise MissingError(f"{adapter / 'punie.json'} is damaged: {error}", hint) from error
    if trained_on and trained_on != weight_hash(folder):
        on = base.get("name") or "another model"
        raise MissingError(f"adapter {adapter.name} was trained on {on}, not on the weights of model {model}", hint)
    return record


def _core(record: dict[str, Any], owner: Path) -> PromptCore | None:
    kept = record.get("core")
    if kept is None:
        return None
    try:
        return PromptCore.model_validate(kept)
    except ValidationError as error:
        raise MissingError(f"{owner / 'punie.json'} has a prompt core that cannot be read") from error
