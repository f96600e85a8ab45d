"""Replies of a model: any text is a step, in both dialects, and what was rendered is read back exactly."""

import importlib.util
from typing import Any

from punie_cli.agent.dialects import Dialect, Native, Step, Tags
from punie_cli.agent.messages import answer, program
from tests.fuzz.drawing import Draw

SPECIAL = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
_WORDS = (
    "<code>", "</code>", "<output>", "</output>", "\\", "\n", "\r", " ", "\t", "\x0b", "\x85", "\u2028", "null", "NULL",
    "<tool_call>", "</tool_call>", "<function=execute_code>", "</function>", "<parameter=code>", "</parameter>",
    '{"name": "execute_code", "arguments": {"code": "', '"}}', '"', "'", "{", "}", "[", "]", "print(1)", "x",
    *SPECIAL,
)  # fmt: skip


def _native(name: str) -> Native:
    # By its file: the package around it would import mlx.
    package = importlib.util.find_spec("mlx_lm")
    assert package is not None and package.submodule_search_locations
    file = f"{package.submodule_search_locations[0]}/tool_parsers/{name}.py"
    spec = importlib.util.spec_from_file_location(f"fuzzed_{name}", file)
    assert spec is not None and spec.loader is not None
    parser: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(parser)
    return Native(parser.parse_tool_call, parser.tool_call_start, parser.tool_call_end, SPECIAL)


_JSON, _XML = _native("json_tools"), _native("qwen3_coder")
_DIALECTS: tuple[Dialect, ...] = (Tags(SPECIAL), _JSON, _XML)


def seeds() -> list[bytes]:
    """Replies of both dialects as text, then words."""
    texts = ["<code>\nprint(1)\n</code>", "Two errors.", "\\null"]
    texts.append('<tool_call>\n{"name": "execute_code", "arguments": {"code": "print(1)"}}\n</tool_call>')
    texts.append("<tool_call>\n<function=execute_code>\n<parameter=code>\nx\n</parameter>\n</function>\n</tool_call>")
    return [b"\0" + text.encode() for text in texts] + [bytes([1, 9, *range(n, n + 9)]) for n in range(0, 33, 3)]


def check(data: bytes) -> None:
    """The property."""
    draw = Draw(data)
    text = draw.words(_WORDS, 60) if draw.below(2) else draw.rest().decode("utf-8", "replace")
    for dialect in _DIALECTS:
        step = dialect.parse(text)
        assert type(step) is Step and type(step.text) is str and step.kind in ("program", "answer")
        begun = dialect.begun(text)
        assert begun is None or all(type(line) is str for line in begun)
        assert dialect.parse(_rendered(dialect, program(text))) == Step("program", text), dialect.name
        assert dialect.parse(_rendered(dialect, answer(text))) == Step("answer", text), dialect.name


def _rendered(dialect: Dialect, message: Any) -> str:
    """What the chat template of such a model makes of a message."""
    shown = dialect.to_chat(message)
    for special in SPECIAL:
        assert special not in shown["content"]
    if not (calls := shown.get("tool_calls")):
        return shown["content"]
    code = calls[0]["function"]["arguments"]["code"]
    if dialect is _XML:
        inner = f"<function=execute_code>\n<parameter=code>\n{code}\n</parameter>\n</function>"
    else:
        import json

        inner = json.dumps({"name": "execute_code", "arguments": {"code": code}})
    return f"<tool_call>\n{inner}\n</tool_call>"
