"""Tokens to text while they arrive."""

from collections.abc import Sequence
from typing import Any, Protocol


class Decodes(Protocol):
    """What is needed of a tokenizer; the one of transformers has it, and mlx_lm's wrapper forwards to it."""

    def decode(self, token_ids: Sequence[int], **options: Any) -> str: ...


class Detokenizer:
    """Turns a growing list of tokens into pieces of text that never split a character.

    The pieces together equal the decoding of all tokens at once, less an incomplete end; the detokenizers of
    mlx_lm drop a leading space. Cost: two decodings of a few tokens for each token.
    """

    def __init__(self, tokenizer: Decodes) -> None:
        self._tokenizer = tokenizer
        # Tokens before _read are out as text; those from _start on are context, as some decoders treat the
        # first token of a text in another way.
        self._tokens: list[int] = []
        self._start = 0
        self._read = 0
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """All pieces so far."""
        return "".join(self._pieces)

    def add(self, token: int) -> str:
        """The text that this token completes; empty while a character is incomplete."""
        self._tokens.append(token)
        return self._advance(last=False)

    def finish(self) -> str:
        """What was held back; a character that never became complete is left out."""
        return self._advance(last=True)

    def _advance(self, *, last: bool) -> str:
        old = self._decode(self._tokens[self._start : self._read])
        new = self._decode(self._tokens[self._start :])
        # Bytes of an incomplete character decode to U+FFFD.
        if last:
            new = new.rstrip("\ufffd")
        if len(new) <= len(old) or new.endswith("\ufffd"):
            return ""
        self._start, self._read = self._read, len(self._tokens)
        self._pieces.append(new[len(old) :])
        return self._pieces[-1]

    def _decode(self, tokens: list[int]) -> str:
        if not tokens:
            return ""
        return self._tokenizer.decode(tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
