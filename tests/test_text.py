"""Tokens to text: whole characters, and all of them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from punie_cli.engine.text import Detokenizer
from punie_cli.models.load import load_tokenizer
from tests.tiny import make_tiny_model, make_tiny_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return load_tokenizer(make_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd")))
def test_pieces_hold_whole_characters(tokenizer, text):
    out = Detokenizer(tokenizer)
    pieces = [out.add(token) for token in tokenizer.encode(text, add_special_tokens=False)]
    assert "".join(pieces) == text
    assert out.finish() == ""
    assert "\ufffd" not in "".join(pieces)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(tokens=st.lists(st.integers(0, 399), max_size=30))
def test_pieces_of_any_tokens_equal_the_decoding_at_once(tokenizer, tokens):
    out = Detokenizer(tokenizer)
    pieces = [out.add(token) for token in tokens]
    pieces.append(out.finish())
    assert "".join(pieces) == out.text
    assert out.text == tokenizer.decode(tokens).rstrip("\ufffd")


def test_an_incomplete_character_is_left_out(tokenizer):
    tokens = tokenizer.encode("aé", add_special_tokens=False)
    assert len(tokens) == 3
    out = Detokenizer(tokenizer)
    assert [out.add(tokens[0]), out.add(tokens[1]), out.finish()] == ["a", "", ""]


def test_the_tiny_tokenizer_knows_every_byte(tmp_path):
    tokenizer = make_tiny_tokenizer(tmp_path)
    text = bytes(range(256)).decode("latin-1")
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text
