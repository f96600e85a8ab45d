"""The prompt core and the renderer: one rendering for talking and training."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from punie_cli.agent.messages import Message, answer, output, program, user
from punie_cli.agent.prompt import PromptCore, Renderer
from punie_cli.builtins.registry import Registry
from punie_cli.errors import MissingError
from punie_cli.models.load import load_tokenizer
from punie_cli.paths import shipped_adapters
from tests.tiny import make_tiny_model

ROW = [
    user("check a.py"),
    program('print(typecheck("a.py"))'),
    output("no type errors\n"),
    answer("No type errors in a.py."),
]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_tokenizer(make_tiny_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
def renderer(tokenizer: Any) -> Renderer:
    return Renderer(PromptCore.build(Registry(), "tags"), tokenizer)


FOUR = ("typecheck", "read_file", "write_file", "run_command")


@pytest.mark.parametrize(("names", "limit"), [(FOUR, 350), (None, 500)])
def test_the_core_is_short(embedded_model: Path, names: tuple[str, ...] | None, limit: int) -> None:
    registry = Registry(names)
    assert len(registry.names) == (6 if names is None else 4)
    renderer = Renderer(PromptCore.build(registry, "tags"), load_tokenizer(embedded_model))
    assert len(renderer.core_tokens) <= limit


def test_the_shipped_adapter_keeps_its_builtins() -> None:
    for record in shipped_adapters().glob("*/punie.json"):
        core = PromptCore.model_validate(json.loads(record.read_text())["core"])
        assert core.check("the adapter").names == core.builtins


def test_the_system_text_names_every_builtin_with_its_fields() -> None:
    registry = Registry()
    core = PromptCore.build(registry, "tags")
    assert core.system.endswith(registry.stubs())
    assert "between <code> and </code>" in core.system
    assert "in a call of execute_code" in PromptCore.build(registry, "native").system


def test_the_hash_names_the_core() -> None:
    core = PromptCore.build(Registry(), "tags")
    again = PromptCore.model_validate_json(core.model_dump_json())
    assert again.hash == core.hash
    assert PromptCore.build(Registry(["read_file"]), "tags").hash != core.hash
    assert PromptCore.build(Registry(), "native").hash != core.hash


def test_segments_of_a_row(renderer: Renderer) -> None:
    segments = renderer.segments(ROW, reply_next=False)
    assert [(s.trained, s.text) for s in segments[1:]] == [
        (False, "check a.py<|im_end|>\n<|im_start|>assistant\n"),
        (True, '<code>\nprint(typecheck("a.py"))\n</code><|im_end|>'),
        (False, "\n<|im_start|>user\n<output>\nno type errors\n</output><|im_end|>\n<|im_start|>assistant\n"),
        (True, "No type errors in a.py.<|im_end|>"),
        (False, "\n"),
    ]
    assert segments[0].text == f"<|im_start|>system\n{renderer.core.system}<|im_end|>\n<|im_start|>user\n"


def test_a_row_trains_what_the_model_wrote(renderer: Renderer, tokenizer: Any) -> None:
    tokens, mask = renderer.row(ROW)
    assert len(tokens) == len(mask)
    trained = tokenizer.decode([t for t, m in zip(tokens, mask, strict=True) if m])
    assert trained == '<code>\nprint(typecheck("a.py"))\n</code><|im_end|>No type errors in a.py.<|im_end|>'
    assert mask[-1]


@pytest.mark.parametrize("steps", [1, 3])
def test_talking_reads_the_tokens_that_training_read(renderer: Renderer, steps: int) -> None:
    tokens, mask = renderer.row(ROW)
    prompt = renderer.tokens(ROW[:steps])
    assert tokens[: len(prompt)] == prompt
    assert mask[len(prompt)] and not mask[len(prompt) - 1]


def test_every_conversation_begins_with_the_core(renderer: Renderer) -> None:
    core = renderer.core_tokens
    for messages in (ROW[:1], ROW[:3], [user("\n\n x")], [user("<|im_end|>")]):
        assert renderer.tokens(messages)[: len(core)] == core
        assert renderer.tokens(messages, tail="Use tabs.")[: len(core)] == core


def test_the_tail_stands_before_the_first_user_message(renderer: Renderer) -> None:
    second = [*ROW, user("again")]
    contents = [m["content"] for m in renderer.chat(second, tail="Use tabs.")]
    assert contents[1] == "<context>\nUse tabs.\n</context>\n\ncheck a.py"
    assert contents[5] == "again"
    assert contents[0] == renderer.core.system


_SAID = st.sampled_from([user("hi"), user("<code>"), program("print(1)"), output("1"), answer("One."), answer("Two.")])


@given(st.lists(st.tuples(st.lists(_SAID, max_size=5), st.integers(0, 4), st.sampled_from([None, "tail"])), max_size=5))
def test_what_is_known_of_the_last_conversation_changes_nothing(
    tokenizer: Any, edits: list[tuple[list[Message], int, str | None]]
) -> None:
    core = PromptCore.build(Registry(), "tags")
    used, messages = Renderer(core, tokenizer), [user("first")]
    for more, kept, tail in edits:
        # A conversation goes on, is rewound, or is another one.
        messages = [*(messages[:kept] or [user("anew")]), *more]
        fresh = Renderer(core, tokenizer)
        assert used.segments(messages, tail=tail) == fresh.segments(messages, tail=tail)
        assert used.tokens(messages, tail=tail) == fresh.tokens(messages, tail=tail)
        assert used.row(messages, tail=tail) == fresh.row(messages, tail=tail)


def test_a_template_that_rewrites_turns_is_refused(tmp_path: Path) -> None:
    template = "{{ messages | length }}{% for m in messages %}{{ m['content'] }}<|im_end|>{% endfor %}"
    tokenizer = load_tokenizer(make_tiny_model(tmp_path, chat_template=template))
    renderer = Renderer(PromptCore.build(Registry(), "tags"), tokenizer)
    with pytest.raises(ValueError, match="rewrites earlier turns"):
        renderer.row(ROW)


def _core(**changes: Any) -> PromptCore:
    return PromptCore.build(Registry(), "tags").model_copy(update=changes)


def test_a_core_that_fits_gives_its_registry() -> None:
    assert _core(builtins=("read_file", "typecheck")).check("adapter x").names == ("read_file", "typecheck")


@pytest.mark.parametrize(
    "changes, message",
    [
        (
            {"builtins": ("typecheck", "format")},
            "adapter x was trained with the builtin 'format', which this punie does not have",
        ),
        (
            {"builtins": ("read_file",), "signatures": {"read_file": "read_file(name: str) -> str"}},
            "adapter x was trained with 'read_file(name: str) -> str'; "
            "'read_file' is now 'read_file(path: str) -> str'",
        ),
        ({"version": 2}, "adapter x needs renderer version 2; this punie has 1"),
    ],
)
def test_a_core_that_no_longer_fits_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(MissingError) as caught:
        _core(**changes).check("adapter x")
    assert caught.value.message == message


def test_a_message_takes_no_unknown_field() -> None:
    with pytest.raises(ValueError, match="extra_forbidden"):
        Message.model_validate({"role": "user", "text": "x", "tool": "y"})
