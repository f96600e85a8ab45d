"""Pasted text: long text is folded into one word in the prompt, and whole again in what is sent."""

import re

FOLD_LINES = 15
FOLD_CHARACTERS = 1000
_FOLDED = re.compile(r"\[Pasted text #(\d+) \+(\d+) lines?\]")
# What a terminal would obey, if it were shown: sequences, then single control characters and halves of pairs.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-~])|\x9b[0-?]*[ -/]*[@-~]")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Pastes:
    """The long texts that were pasted into this prompt. They stay: undo or the kill ring may bring a word back."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def fold(self, data: str) -> str:
        """What goes into the prompt for pasted `data`: itself, cleaned, or a word that stands for it."""
        text = clean(data)
        lines = text.rstrip("\n").count("\n") + 1
        if lines <= FOLD_LINES and len(text) <= FOLD_CHARACTERS:
            return text
        self._texts.append(text)
        return self._word(len(self._texts))

    def expand(self, text: str) -> str:
        """The text with the pasted text in the place of each word that stands for one."""
        return _FOLDED.sub(lambda found: self._text(found) or found[0], text)

    def fold_again(self, text: str) -> str:
        """The text with a word in the place of each long text that was pasted."""
        for number, pasted in reversed(list(enumerate(self._texts, 1))):
            text = text.replace(pasted, self._word(number))
        return text

    def at(self, text: str, cursor: int) -> tuple[int, int, str] | None:
        """Begin, end and pasted text of the word that the cursor is at, else of the last word of the text."""
        words = [
            (found.start(), found.end(), pasted) for found in _FOLDED.finditer(text) if (pasted := self._text(found))
        ]
        near = [word for word in words if word[0] <= cursor <= word[1]]
        return (near or words)[-1] if words else None

    def _text(self, found: re.Match[str]) -> str | None:
        number = int(found[1])
        if 1 <= number <= len(self._texts) and self._word(number) == found[0]:
            return self._texts[number - 1]
        return None

    def _word(self, number: int) -> str:
        lines = self._texts[number - 1].rstrip("\n").count("\n") + 1
        return f"[Pasted text #{number} +{lines} line{'' if lines == 1 else 's'}]"


def clean(text: str) -> str:
    """Pasted text with plain line ends, and without what would move a terminal's cursor or change its colours."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("", _SEQUENCE.sub("", text))
