"""The line below the prompt: what goes on, what answers, what it has cost so far. Text from a few values."""

from dataclasses import dataclass

from prompt_toolkit.utils import get_cwidth

from punie_cli.approvals import visible

_BETWEEN = " · "
_CUT = "…"


@dataclass(frozen=True)
class Bar:
    """What the toolbar tells, in the order of its fields; what is empty, None or 0 is left out.

    `activity` is what goes on now, `used` tokens are in the context of `context`, `phase` stands for the adapter
    where it is known, `training` is the run that trains now.
    """

    activity: str = ""
    queued: int = 0
    model: str = ""
    phase: str = ""
    used: int | None = None
    context: int | None = None
    tokens_per_s: float = 0.0
    memory_gb: float = 0.0
    mode: str = ""
    training: str = ""

    def fields(self) -> list[str]:
        """The texts of the fields that there are."""
        used = ""
        if self.used:
            used = f"{self.used / self.context:.0%} ctx" if self.context else f"{self.used} tokens"
        every = (
            self.activity,
            f"{self.queued} queued" if self.queued else "",
            self.model,
            self.phase,
            used.replace("%", " %"),
            f"{self.tokens_per_s:.0f} tok/s" if self.tokens_per_s else "",
            f"{self.memory_gb:.1f} GB" if self.memory_gb else "",
            self.mode,
            f"training {self.training}" if self.training else "",
        )
        return [visible(text).replace("\n", " ").replace("\t", " ") for text in every if text]


def toolbar(bar: Bar, width: int) -> str:
    """The fields in at most `width` columns: those on the right go first, and the first one is cut where it must be."""
    fields = bar.fields()
    while len(fields) > 1 and get_cwidth(_BETWEEN.join(fields)) > width:
        fields.pop()
    return _fit(_BETWEEN.join(fields), width)


def _fit(text: str, width: int) -> str:
    if get_cwidth(text) <= width:
        return text
    room, kept = width - get_cwidth(_CUT), ""
    for character in text:
        if get_cwidth(kept + character) > room:
            break
        kept += character
    return kept + _CUT if room >= 0 else ""
