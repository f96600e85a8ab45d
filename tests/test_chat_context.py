"""`/context`, `/compact`, `/system`, `/cost`: what is shown of a conversation and what it costs."""

import json
import sqlite3
from pathlib import Path

import pytest

from punie_cli.agent.compact import EARLIER
from punie_cli.costs import Cost, cost_of, last_usage, usages
from punie_cli.engine.base import Prompt, Reply, Usage
from punie_cli.store import session_file
from tests.command_line import program
from tests.fake import QueueEngine
from tests.talks import talk


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def table(text: str) -> dict[str, tuple[int, str]]:
    """Name → tokens and what they are; without the lines above the table."""
    found = {}
    for line in [line for line in text.splitlines()[1:] if not line.startswith("[")]:
        name, rest = line[: line.index("  ")], line[line.index("  ") :].strip()
        tokens, _, what = rest.partition("  ")
        found[name] = (int(tokens), what)
    return found


async def test_the_context_by_part(root):
    (root / "AGENTS.md").write_text("Use tabs.")
    async with talk(root, [program("print('x' * 20)"), "It is long.", "Yes."]) as chat:
        agent = chat.chat.agent
        core = len(agent.renderer.core_tokens)
        empty = await chat.say("/context")
        assert empty.splitlines()[0] == f"{core + 9} tokens; the model does not say how many it holds"
        agent.context, agent.max_tokens = 4 * core, core
        await chat.say("first")
        await chat.say("second")
        shown = await chat.say("/context")
        rows = table(shown)
        # A token is a character here.
        assert rows["core"] == (core, "system text and builtins")
        assert rows["tail"] == (9, "AGENTS.md and /system")
        assert rows["turn 1"] == (5 + 30 + 39 + 11, "prompt 5, programs 30, outputs 39, answers 11")
        assert rows["turn 2"] == (10, "prompt 6, answers 4")
        used = sum(tokens for tokens, _ in rows.values())
        assert used == len(agent.renderer.tokens(agent.messages, tail=agent.tail))
        head, bar = shown.splitlines()[:2]
        share = f"{used / agent.context:.0%}".replace("%", " %")
        left = agent.context - core - used
        assert head == f"{used} of {4 * core} tokens ({share}); {left} left, {core} kept for a reply"
        assert (len(bar), bar.count("▒")) == (42, 10)


async def test_compacted_by_hand(root):
    async with talk(root, ["One.", "Two.", "Three."]) as chat:
        assert await chat.say("/compact") == "there is nothing to compact: the last turn stays whole\n"
        for text in ("a" * 500, "b" * 500, "c"):
            await chat.say(text)
        told = await chat.say("/compact")
        assert told.startswith("conversation compacted from ")
        assert told.endswith(" tokens: turns up to 2 are told in a line each; the store has all\n")
        [record] = chat.records("compact")
        assert (record["shortened"], record["told"], record["forgotten"]) == (2, 2, 0)
        rows = table(await chat.say("/context"))
        lines = [EARLIER, f"- {'a' * 89}… → One.", f"- {'b' * 89}… → Two."]
        assert rows["earlier"] == (len("\n".join(lines)), "old turns, a line each")
        assert [name for name in rows if name.startswith("turn")] == ["turn 3"]
        # A new conversation has nothing of it.
        chat.chat.renew()
        assert list(table(await chat.say("/context"))) == ["core"]


async def test_a_text_of_ones_own(root):
    (root / "AGENTS.md").write_text("Use tabs.")
    async with talk(root, ["One.", "Two."]) as chat:
        assert await chat.say("/system") == "no text is set; /system TEXT sets one\n"
        assert await chat.say("/system Be brief.") == "set: the tail has 20 tokens now\n"
        assert await chat.say("/system") == "Be brief.\n"
        await chat.say("hi")
        assert await chat.say("/system clear") == (
            "cleared: the tail has 9 tokens now; the conversation is read again\n"
        )
        await chat.say("hi")
        prompts = [prompt.messages[1]["content"] for prompt in chat.engines["fake"].prompts]
        assert prompts == [f"<context>\n{tail}Use tabs.\n</context>\n\nhi" for tail in ("Be brief.\n\n", "")]
        assert chat.chat.agent.notes is not None
        chat.chat.agent.notes.measure(len, 40)
        assert (await chat.say("/system Not so much of it.")).startswith("Error: the text has 18 tokens, more than 10")
    with sqlite3.connect(session_file()) as store:
        tails = store.execute("SELECT json FROM records WHERE type = 'tail' ORDER BY n").fetchall()
    assert [json.loads(line)["text"] for (line,) in tails] == ["Be brief.\n\nUse tabs.", "Use tabs."]


class Counting(QueueEngine):
    """Says that each reply took 100 tokens to read, 60 of them in the cache, and 11 to write in two seconds."""

    async def generate(self, prompt: Prompt, *, max_tokens: int = 512):
        async for event in super().generate(prompt, max_tokens=max_tokens):
            if isinstance(event, Reply):
                usage = Usage(100, 60, 11, first_token_s=1.0, tokens_per_s=10.0, peak_gb=0.5)
                yield Reply(event.text, event.tokens, event.finish, usage)
            else:
                yield event


async def test_the_cost_by_turn(root):
    async with talk(root) as chat:
        assert await chat.say("/cost") == "no reply yet, or this session is not kept\n"
        chat.chat.agent.engine = Counting([program("print(1)"), "One.", "Two."])
        await chat.say("a")
        await chat.say("b")
        assert await chat.say("/cost") == (
            "turn  read  cached  written  seconds  tokens/s\n"
            "   1    80     120       22      4.0      10.0\n"
            "   2    40      60       11      2.0      10.0\n"
            " all   120     180       33      6.0      10.0\n"
        )
        session = chat.chat.recorder.session
        assert [turn for turn, _ in usages(session)] == [1, 1, 2]
        assert last_usage(session) == Usage(100, 60, 11, first_token_s=1.0, tokens_per_s=10.0, peak_gb=0.5)
    assert (usages("another"), last_usage("another")) == ([], None)


def test_a_reply_of_one_token_has_no_speed():
    cost = cost_of([Usage(10, 0, 1, first_token_s=0.5)])
    assert cost == Cost(1, 10, 0, 1, 0.5, 0.0)
    assert cost.tokens_per_s == 0.0
