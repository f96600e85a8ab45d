"""`punie data show`: one row as the model reads it, with what is trained; and the renderer that rows are read with."""

from collections.abc import Iterable
from dataclasses import dataclass

from punie_cli.agent.open import choose
from punie_cli.agent.prompt import PromptCore, Renderer, Segment, dialect_for
from punie_cli.builtins.registry import Registry
from punie_cli.errors import UsageError
from punie_cli.models import store
from punie_cli.models.load import load_tokenizer
from punie_cli.rows.formats import UNRENDERED, Entry
from punie_cli.settings import Settings
from punie_cli.training.phase import Phase


@dataclass(frozen=True)
class Rendered:
    """A row in pieces as training takes it; tokens in all, of the prompt core, and trained."""

    entry: Entry
    segments: tuple[Segment, ...]
    tokens: int
    core: int
    trained: int


def make_renderer(phase: Phase | None, settings: Settings, base: str | None = None) -> Renderer:
    """The renderer of a phase's training, on `base` if given; without a phase that of the settings' model and adapter.

    Loads a tokenizer, no weights. Raises MissingError where the model is not there.
    """
    if phase is None:
        choice = choose(settings)
        tokenizer = load_tokenizer(choice.model)
        return Renderer(choice.core or PromptCore.build(Registry(), dialect_for(tokenizer)), tokenizer)
    tokenizer = load_tokenizer(store.find(base or phase.base))
    return Renderer(PromptCore.build(Registry(phase.builtins), dialect_for(tokenizer)), tokenizer)


def nth(entries: Iterable[Entry], number: int) -> Entry:
    """The row of this number, from 1. Raises UsageError where there are fewer."""
    count = 0
    for count, entry in enumerate(entries, start=1):
        if count == number:
            return entry
    raise UsageError(f"there is no row {number}; there are {count}", "--row N")


def render(entry: Entry, renderer: Renderer) -> Rendered:
    """A row as it is trained. Raises UsageError for a text, and for a row that the chat template cannot hold."""
    row = entry.row
    if entry.form == "text":
        raise UsageError(
            f"{entry.place}: a text has no turns, so that nobody can say what the model wrote in it", "--format text"
        )
    try:
        tokens, mask = renderer.row(row.messages, tail=row.tail)
        segments = renderer.segments(row.messages, tail=row.tail, reply_next=False)
    except UNRENDERED as problem:
        raise UsageError(f"{entry.place}: {problem}") from None
    # What stands behind the last reply is not part of a training row.
    while segments and not segments[-1].trained:
        segments.pop()
    return Rendered(entry, tuple(segments), len(tokens), len(renderer.core_tokens), sum(mask))
