"""`/model` and `/phase`: another one answers, the conversation goes on, and what fails changes nothing."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from punie_cli import paths
from punie_cli.agent.open import Connected, choose, connect_mlx
from punie_cli.agent.prompt import PromptCore
from punie_cli.builtins.registry import Registry
from punie_cli.chat import switching
from punie_cli.engine.mlx import MLXEngine
from punie_cli.errors import PunieError
from punie_cli.models import room
from punie_cli.settings import Settings
from punie_cli.store import session_file
from tests.command_line import CharTokenizer, program
from tests.fake import QueueEngine
from tests.talks import Talk, talk
from tests.tiny import make_tiny_model
from tests.tiny_adapter import make_adapter


@pytest.fixture
def models(punie_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models in the store; on the first one adapters of two phases, one of them under a core of its own."""
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    monkeypatch.setattr("punie_cli.paths.shipped_adapters", lambda: nothing)
    store = punie_home / "data" / "models"
    one = make_tiny_model(store / "one")
    make_tiny_model(store / "other", seed=1)
    folder = punie_home / "data" / "adapters"
    make_adapter(folder / "phase-90", one, name="one")
    make_adapter(folder / "phase-91", one, name="one", seed=4)
    _set(folder / "phase-90", phase=90)
    core = PromptCore.build(Registry(("read_file",)), "tags").model_dump(mode="json")
    _set(folder / "phase-91", phase=91, core=core)
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def _set(folder: Path, **fields: Any) -> None:
    record = json.loads((folder / "punie.json").read_text())
    (folder / "punie.json").write_text(json.dumps(record | fields))


def switched() -> list[dict[str, Any]]:
    with sqlite3.connect(session_file()) as store:
        rows = store.execute("SELECT json FROM records WHERE type = 'switched' ORDER BY n").fetchall()
    return [json.loads(line) for (line,) in rows]


@asynccontextmanager
async def fakes(root: Path, **replies: list[str]) -> AsyncGenerator[Talk]:
    """A talk whose models are queues, under the cores that their adapters have."""
    async with talk(root, replies.pop("fake"), **replies) as chat:
        first = chat.chat.connect

        async def connect(settings: Settings) -> Connected:
            choice, made = choose(settings), await first(settings)
            assert isinstance(made.engine, QueueEngine)
            made.engine.adapter = choice.adapter.name if choice.adapter else None
            return Connected(made.engine, CharTokenizer(), choice.core, 5000)

        chat.chat.connect = connect
        yield chat


async def test_another_model_goes_on_with_the_conversation(models):
    ran = program("print(read_file('a.txt'))")
    (models / "a.txt").write_text("text")
    async with fakes(models, fake=["Hello."], one=[ran, "It is read.", "Bye."], other=["Yes."]) as chat:
        await chat.say("hi")
        assert await chat.say("/model one") == "one, adapter none; the conversation is read again\n"
        assert (chat.engines["fake"].closed, chat.chat.agent.context) == (True, 5000)
        await chat.say("read it")
        asked = chat.engines["one"].prompts[0].messages
        assert [message["content"] for message in asked[1:]] == ["hi", "Hello.", "read it"]
        assert await chat.say("/model one") == "one, adapter none\n"
        await chat.say("/phase 91")
        await chat.say("and now?")
        # The adapter's own core, and no other builtins than it was trained with.
        assert chat.engines["one"].prompts[-1].builtins == ("read_file",)
        assert chat.chat.started.adapter == "phase-91"
        assert chat.chat.settings.model == "one"
        kept = [(record["model"], record["adapter"]) for record in switched()]
        assert kept == [("one", None), ("one", "phase-91")]
    assert chat.engines["one"].closed


async def test_before_the_first_turn_nothing_is_recorded(models):
    async with fakes(models, fake=[], one=["Yes."]) as chat:
        assert await chat.say("/model one") == "one, adapter none\n"
        await chat.say("hi")
        assert switched() == []


@pytest.mark.parametrize("beside", [True, False])
@pytest.mark.parametrize("error", [PunieError("no way"), asyncio.CancelledError()])
async def test_where_it_fails_the_old_one_stays(models, monkeypatch, beside, error):
    # The fake is no model of the store: what it holds is not known.
    monkeypatch.setattr(switching, "_fits", lambda chat, choice: beside)
    async with fakes(models, fake=["Hello.", "Still here."], one=[]) as chat:
        await chat.say("hi")
        first, opened = chat.chat.connect, []

        async def connect(settings: Settings) -> Connected:
            opened.append((settings.model, chat.engines["fake"].closed))
            if settings.model == "one":
                raise error
            chat.engines["fake"].closed = False
            return Connected(chat.engines["fake"], CharTokenizer())

        chat.chat.connect = connect
        if isinstance(error, PunieError):
            told = await chat.say("/model one")
            assert told.endswith("Error: no way\n")
        else:
            with pytest.raises(asyncio.CancelledError):
                await chat.say("/model one")
        assert opened == ([("one", False)] if beside else [("one", True), (None, True)])
        assert await chat.say("go on") == "Still here.\n"
        assert (chat.chat.started.model, switched()) == ("fake", [])
        chat.chat.connect = first


async def test_memory_is_looked_at_first(models, monkeypatch):
    async with fakes(models, fake=["Hello."], one=["Yes."]) as chat:
        await chat.say("/model one")
        needs = {"one": 4_000_000_000, "other": 6_000_000_000}
        monkeypatch.setattr(room, "need", lambda folder: needs[folder.name])
        monkeypatch.setattr(room, "free", lambda: 1_000_000_000)
        assert await chat.say("/model other") == (
            "Error: model other needs 6.00 GB, 5.00 GB would be free without one\nTry: punie models\n"
        )
        assert not chat.engines["one"].closed
        needs["other"] = 5_000_000_000
        chat.engines["other"] = QueueEngine([], name="other")
        assert await chat.say("/model other") == (
            "one is given up first: both do not fit into the memory\nother, adapter none\n"
        )


async def test_what_is_not_there(models):
    async with fakes(models, fake=[], one=[]) as chat:
        await chat.say("/model one")
        assert (await chat.say("/model nothing")).startswith("Error: no model 'nothing'; in the store: one, other\n")
        assert await chat.say("/phase 23") == "Error: phase 23 has no adapter here\nTry: punie train --phase 23\n"
        assert (await chat.say("/phase x")).startswith("Error: no adapter 'x' for model one\n")
        chat.engines["other"] = QueueEngine([], name="other")
        await chat.say("/model other")
        assert [line for line in (await chat.say("/model")).splitlines() if line.startswith("phase")] == []
        fused = {"source": "fused", "lineage": {"adapter": {"phase": 90}}}
        (paths.data_dir() / "models" / "other" / "punie.json").write_text(json.dumps(fused))
        assert "phase     90\n" in await chat.say("/model")
        assert await chat.say("/phase 90") == (
            "Error: phase 90 has no adapter on model other, but on one\nTry: /model one\n"
        )
        assert (await chat.say("/phase phase-90")).startswith("Error: adapter phase-90 was trained on one, not on")


async def test_completion_and_the_list(models):
    async with fakes(models, fake=[], one=[]) as chat:
        by_name = {command.name: command for command in switching.COMMANDS}
        await chat.say("/model one")
        model, phase = by_name["/model"].choices, by_name["/phase"].choices
        assert model is not None and phase is not None
        assert list(model(chat.chat)) == ["one", "other"]
        assert list(phase(chat.chat)) == ["90", "91", "phase-90", "phase-91", "none"]
        await chat.say("/phase 90")
        assert await chat.say("/phase") == ("* phase-90, phase 90, on one\n  phase-91, phase 91, on one\n  none\n")


async def test_an_adapter_is_swapped_in_the_engine_that_runs(models, monkeypatch):
    async with fakes(models, fake=[]) as chat:
        chat.chat.connect = connect_mlx
        await chat.say("/model one")
        engine = chat.chat.agent.engine
        assert isinstance(engine, MLXEngine)
        loads = []
        monkeypatch.setattr("punie_cli.models.load.load", lambda *args: loads.append(args))
        chat.chat.agent.max_tokens = 8
        await chat.say("hi")
        bare = chat.chat.agent.messages[-1].text
        assert await chat.say("/phase 90") == "one, adapter phase-90 (phase 90); the conversation is read again\n"
        told = (await chat.say("/model")).splitlines()
        assert told[:2] == ["model     one", "adapter   phase-90 (phase 90)"]
        assert told[3] == "context   2048 tokens" and told[-1] == f"builtins  {', '.join(Registry().names)}"
        await chat.say("/phase 91")
        assert chat.chat.agent.registry.names == ("read_file",)
        assert (await chat.say("/phase none")).startswith("one, adapter none; ")
        chat.chat.renew()
        await chat.say("hi")
        assert chat.chat.agent.messages[-1].text == bare
        assert (chat.chat.agent.engine is engine, loads) == (True, [])
        # What was changed is kept with the session that it was changed in.
        assert [record["adapter"] for record in switched()] == ["phase-90", "phase-91", None]


async def test_a_swap_that_is_interrupted_is_done_or_not_done(models, monkeypatch):
    async with fakes(models, fake=[]) as chat:
        chat.chat.connect = connect_mlx
        await chat.say("/model one")
        engine = chat.chat.agent.engine
        assert isinstance(engine, MLXEngine)
        swapping = asyncio.create_task(chat.say("/phase 91"))
        begun = asyncio.Event()
        swap = engine.swap

        async def slow(adapter: Path | None) -> None:
            begun.set()
            await swap(adapter)

        monkeypatch.setattr(engine, "swap", slow)
        await begun.wait()
        swapping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await swapping
        assert (engine.adapter, chat.chat.started.adapter) == ("phase-91", "phase-91")
        assert chat.chat.agent.registry.names == ("read_file",)
