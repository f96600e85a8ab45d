"""Two replies beside each other, one below the other where the window is narrow."""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.console import Console
from rich.table import Table
from rich.text import Text

from punie_cli.agent.events import Answered, Event, Failed, Prompted, Used
from punie_cli.approvals import visible
from punie_cli.render import View

# Below it a program would be wrapped in nearly every line.
WIDE = 100
_GAP = 3


@dataclass(frozen=True)
class Side:
    """What one model did with a prompt in its copy of the project."""

    model: str
    adapter: str | None
    prompt_hash: str | None
    events: tuple[Event, ...]
    diff: str
    seconds: float

    @property
    def tokens(self) -> int:
        """Tokens that the model wrote."""
        return sum(event.usage.completion_tokens for event in self.events if isinstance(event, Used))

    @property
    def cost(self) -> str:
        """Steps, tokens and seconds."""
        steps = sum(isinstance(event, Used) for event in self.events)
        return f"{steps} step{'' if steps == 1 else 's'}, {self.tokens} tokens, {self.seconds:.1f} s"


def show_sides(view: View, sides: Sequence[Side]) -> None:
    """Programs, outputs, answers, changes and cost of each side."""
    view.idle()
    console = view.err
    if not console.is_terminal or console.width < WIDE:
        for number, side in enumerate(sides, 1):
            console.print(_text(view, side, number, console.width), soft_wrap=True)
        return
    width = (console.width - _GAP) // 2
    table = Table.grid(padding=(0, _GAP, 0, 0))
    for _ in sides:
        table.add_column(width=width, overflow="fold")
    table.add_row(*(_text(view, side, number, width) for number, side in enumerate(sides, 1)))
    console.print(table)


def _text(view: View, side: Side, number: int, width: int) -> Text:
    """One side as the screen would show it."""
    file = io.StringIO()
    shown = View()
    # No terminal, so that nothing moves; but its colours.
    shown.out = shown.err = Console(
        file=file,
        force_terminal=False,
        color_system=view.err.color_system if view.err.is_terminal else None,  # ty: ignore[invalid-argument-type]
        no_color=view.err.no_color,
        width=width,
        markup=False,
        highlight=False,
        emoji=False,
    )
    shown.err.print(Text(f"{number}: {side.model}, adapter {side.adapter or 'none'}", style="bold"))
    for event in side.events:
        if isinstance(event, Failed):
            shown.error(event.message)
        elif isinstance(event, Answered):
            shown.show(replace(event, text=visible(event.text)))
        elif not isinstance(event, Prompted):
            shown.show(event)
    if side.diff:
        shown.diff(side.diff)
    else:
        shown.note("no file was changed")
    shown.note(side.cost)
    return Text.from_ansi(file.getvalue().rstrip("\n"))
