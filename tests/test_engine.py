"""The engine: one thread for all loops, and an end to everything within a step."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from punie_cli import paths
from punie_cli.engine.base import Reply, Text
from punie_cli.engine.mlx import MLXEngine, _explain
from punie_cli.errors import BusyError, MissingError, PunieError
from punie_cli.models.load import load_tokenizer
from tests.replies import ask, make_adapter, prompt, words
from tests.tiny import make_tiny_model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return load_tokenizer(tiny)


@pytest.fixture
async def engine(tiny) -> AsyncIterator[MLXEngine]:
    engine = MLXEngine(tiny, chunk=16)
    await engine.open()
    yield engine
    await engine.close()


async def test_events_are_pieces_of_text_and_one_reply(engine):
    events = [event async for event in engine.generate(prompt(words(engine.tokenizer, 40)), max_tokens=9)]
    assert [type(event) for event in events[:-1]] == [Text] * (len(events) - 1)
    reply = events[-1]
    assert isinstance(reply, Reply)
    assert (engine.name, engine.adapter, engine.context) == ("tiny", None, 2048)
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (40, 9)
    assert reply.usage.first_token_s > 0 and reply.usage.tokens_per_s > 0 and reply.usage.peak_gb > 0


async def test_a_second_turn_reads_only_what_is_new(engine):
    first = words(engine.tokenizer, 40)
    held = first + (await ask(engine, first)).tokens
    assert (await ask(engine, [*held, 5, 6])).usage.cached_tokens == len(held)


def test_one_engine_serves_one_event_loop_after_another(tiny):
    engine = MLXEngine(tiny)
    asyncio.run(engine.open())
    tokens = words(engine.tokenizer, 30)
    replies = [asyncio.run(ask(engine, tokens)) for _ in range(3)]
    assert [reply.usage.cached_tokens for reply in replies] == [0, 29, 29]
    assert len({reply.text for reply in replies}) == 1
    asyncio.run(engine.close())


async def test_the_loop_is_free_while_the_engine_works(engine):
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(tick())
    await ask(engine, words(engine.tokenizer, 500), 20)
    task.cancel()
    assert ticks > 20


async def test_cancel_from_another_thread(engine):
    tokens = words(engine.tokenizer, 20)
    events = engine.generate(prompt(tokens), max_tokens=2000)
    first = await anext(events)
    thread = threading.Thread(target=engine.cancel)
    thread.start()
    thread.join()
    *_, reply = [event async for event in events]
    assert isinstance(first, Text) and isinstance(reply, Reply)
    # The mailbox holds 256 events, so the thread cannot have been at the end by then.
    assert (reply.finish, reply.text.startswith(first.text)) == ("cancelled", True)
    again = await ask(engine, tokens + reply.tokens, 5)
    assert again.usage.cached_tokens == len(tokens + reply.tokens) - 1
    assert again.finish == "length"


async def test_cancel_with_nothing_under_way_does_nothing(engine):
    engine.cancel()
    assert (await ask(engine, words(engine.tokenizer, 20))).finish == "length"


async def test_a_cancelled_task_ends_the_work(engine):
    tokens = words(engine.tokenizer, 20)
    begun = asyncio.Event()

    async def read():
        async for _ in engine.generate(prompt(tokens), max_tokens=2000):
            begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # Would wait for 2000 tokens if the first request still ran.
    assert (await ask(engine, tokens, 3)).usage.cached_tokens == 19
    assert len(engine._waiting) == 0


async def test_an_iterator_that_is_closed_ends_the_work(engine):
    events = engine.generate(prompt(words(engine.tokenizer, 20)), max_tokens=2000)
    await anext(events)
    await events.aclose()
    assert (await ask(engine, words(engine.tokenizer, 20), 3)).finish == "length"


async def test_prompts_of_several_tasks_are_answered_in_turn(engine):
    tokens = words(engine.tokenizer, 60)
    lone = [await ask(engine, tokens[:n]) for n in (20, 40, 60)]
    together = await asyncio.gather(*(ask(engine, tokens[:n]) for n in (20, 40, 60)))
    assert [reply.text for reply in together] == [reply.text for reply in lone]


async def test_more_prompts_than_the_queue_holds_are_refused(engine):
    events = engine.generate(prompt(words(engine.tokenizer, 20)), max_tokens=2000)
    await anext(events)
    waiting = [asyncio.create_task(ask(engine, [5, 6, 7], 1)) for _ in range(70)]
    done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    assert {type(task.exception()) for task in done} == {BusyError}
    await events.aclose()
    await asyncio.wait(waiting)
    assert sum(task.exception() is None for task in waiting) == 64


async def test_a_failure_in_the_thread_is_an_error_here_and_no_more(engine, caplog):
    with pytest.raises(PunieError) as error:
        await ask(engine, [2**70])
    assert type(error.value) is PunieError
    assert error.value.hint == f"see {paths.log_file()}, or run: punie doctor"
    assert [record.message for record in caplog.records] == ["engine tiny failed"]
    assert (await ask(engine, words(engine.tokenizer, 20))).finish == "length"


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("cannot allocate"),
        RuntimeError("[malloc] Unable to allocate 800000000000 bytes."),
        RuntimeError("[METAL] Command buffer execution failed: Insufficient Memory (00000008:kIOGPU…)"),
    ],
)
def test_too_little_memory_names_what_helps(error):
    found = _explain(error, "big")
    assert type(found) is BusyError
    assert found.message == f"model big ran out of memory: {error}"
    assert found.hint == "choose a smaller model: punie models"


async def test_a_model_that_is_missing(tmp_path):
    engine = MLXEngine(tmp_path / "absent")
    for _ in range(2):
        with pytest.raises(MissingError):
            await engine.open()
    with pytest.raises(PunieError):
        _ = engine.tokenizer
    await engine.close()


async def test_close_ends_what_is_under_way(tiny):
    engine = MLXEngine(tiny)
    await engine.open()
    events = engine.generate(prompt(words(engine.tokenizer, 20)), max_tokens=2000)
    await anext(events)
    closing = asyncio.create_task(engine.close())
    *_, reply = [event async for event in events]
    assert isinstance(reply, Reply) and reply.finish == "cancelled"
    await closing
    await engine.close()
    assert engine._thread is not None and not engine._thread.is_alive()
    with pytest.raises(PunieError) as error:
        await ask(engine, [5])
    assert error.value.message == "the engine of tiny is closed"


async def test_close_refuses_what_still_waits(tiny):
    engine = MLXEngine(tiny)
    await engine.open()
    events = engine.generate(prompt(words(engine.tokenizer, 20)), max_tokens=2000)
    await anext(events)
    waiting = asyncio.create_task(ask(engine, [5, 6], 1))
    await asyncio.sleep(0)
    closing = asyncio.create_task(engine.close())
    async for _ in events:
        pass
    with pytest.raises(PunieError):
        await waiting
    await closing


async def test_an_engine_that_was_never_used_can_be_closed(tiny):
    await MLXEngine(tiny).close()


async def test_a_temperature_with_a_seed_repeats_itself(tiny):
    texts = []
    for seed in (1, 1, 2):
        engine = MLXEngine(tiny, temperature=1.0, seed=seed)
        await engine.open()
        texts.append((await ask(engine, words(engine.tokenizer, 20), 30)).tokens)
        await engine.close()
    assert texts[0] == texts[1] != texts[2]


async def test_an_adapter_is_used_and_has_its_own_core(tiny, tokenizer, tmp_path):
    adapter = make_adapter(tiny, tmp_path / "ours")
    tokens = words(tokenizer, 60)
    bare, _ = await use(tiny, tokens, 40)
    adapted, files = await use(tiny, tokens, 40, adapter_path=adapter)
    assert adapted.tokens != bare.tokens
    assert (adapted.usage.cached_tokens, files) == (0, 2)
    assert MLXEngine(tiny, adapter).adapter == "ours"


# The prompt core on disk


async def use(path: Path, tokens: list[int], core: int, **options) -> tuple[Reply, int]:
    """The reply of a new engine, and how many files the cache then has."""
    engine = MLXEngine(path, **options)
    engine.use_core(tokens[:core])
    reply = await ask(engine, tokens)
    await engine.close()
    return reply, len(list((paths.cache_dir() / "prefix").glob("*")))


async def test_a_new_engine_does_not_read_the_core_again(tiny, tokenizer):
    tokens = words(tokenizer, 60)
    first, _ = await use(tiny, tokens, 40)
    second, files = await use(tiny, tokens, 40)
    assert (first.usage.cached_tokens, second.usage.cached_tokens, files) == (0, 40, 1)
    assert (first.text, first.tokens) == (second.text, second.tokens)
    # A core that is nearly the whole prompt still leaves a token to read.
    assert (await use(tiny, tokens[:41], 40))[0].usage.cached_tokens == 40


async def test_a_damaged_core_is_read_again(tiny, tokenizer):
    tokens = words(tokenizer, 60)
    first, _ = await use(tiny, tokens, 40)
    (file,) = (paths.cache_dir() / "prefix").iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    second, files = await use(tiny, tokens, 40)
    third, _ = await use(tiny, tokens, 40)
    assert [reply.usage.cached_tokens for reply in (first, second, third)] == [0, 0, 40]
    assert first.text == second.text == third.text
    assert files == 1


async def test_a_cache_folder_that_cannot_be_written_is_no_error(tiny, tokenizer, punie_home):
    punie_home.mkdir()
    (punie_home / "cache").write_text("in the way")
    engine = MLXEngine(tiny)
    tokens = words(tokenizer, 30)
    engine.use_core(tokens[:20])
    assert (await ask(engine, tokens)).finish == "length"
    await engine.close()


async def test_other_weights_have_another_core(tiny, tokenizer, tmp_path):
    tokens = words(tokenizer, 60)
    await use(tiny, tokens, 40)
    other = make_tiny_model(tmp_path / "other", seed=1)
    reply, files = await use(other, tokens, 40)
    assert (reply.usage.cached_tokens, files) == (0, 2)


async def test_without_a_prefix_cache_nothing_is_written(tiny, tokenizer):
    assert (await use(tiny, words(tokenizer, 60), 40, prefix_cache=False))[1] == 0


async def test_warm_reads_the_core_before_the_first_prompt(engine):
    tokens = words(engine.tokenizer, 60)
    engine.use_core(tokens[:40])
    await engine.warm()
    assert (await ask(engine, tokens)).usage.cached_tokens == 40
    # Another core later: what both share stays.
    engine.use_core([*tokens[:30], 9, 9, 9, 9])
    await engine.warm()
    assert (await ask(engine, [*tokens[:30], 9, 9, 9, 9, 5])).usage.cached_tokens == 34
    assert len(list((paths.cache_dir() / "prefix").glob("*"))) == 2


# A whole process

_SCRIPT = """
import asyncio, sys
from pathlib import Path
from punie_cli.engine.base import Prompt
from punie_cli.engine.mlx import MLXEngine, _explain

async def main():
    engine = MLXEngine(Path(sys.argv[1]))
    await engine.open()
    async for event in engine.generate(Prompt([], (), list(range(5, 40))), max_tokens=2000):
        print("token", flush=True)
        if sys.argv[2] == "leave":
            return

asyncio.run(main())
"""


def _process(tiny: Path, mode: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(tiny), mode],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
    )


def test_a_process_that_never_closes_its_engine_ends(tiny):
    process = _process(tiny, "leave")
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (0, "token\n", "")


def test_ctrl_c_ends_a_process_in_the_middle_of_a_reply(tiny):
    process = _process(tiny, "stay")
    assert process.stdout is not None
    assert process.stdout.readline() == "token\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")


# The embedded model


async def test_the_embedded_model_answers_and_goes_on(embedded_model):
    engine = MLXEngine(embedded_model)
    await engine.open()
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    tokens = engine.tokenizer.apply_chat_template(messages, add_generation_prompt=True)
    reply = await ask(engine, tokens, 40)
    assert (reply.text, reply.finish) == ("The capital of France is Paris.", "stop")
    more = engine.tokenizer.encode(
        "\n<|im_start|>user\nAnd of Italy?<|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False
    )
    held = tokens + reply.tokens
    second = await ask(engine, held + more, 10)
    assert second.usage.cached_tokens == len(held)
    await engine.close()
