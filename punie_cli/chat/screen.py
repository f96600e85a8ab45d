"""What a talk shows: finished things are printed once and stay; what goes on now is told in the toolbar."""

import re
from collections.abc import Callable

from rich.markdown import Markdown

from punie_cli.agent.events import Answered, Called, Delta, Event, Prompted, Used
from punie_cli.approvals import visible
from punie_cli.engine.base import Usage
from punie_cli.render import Color, View

# rich fills lines with blanks: they would wrap when the window gets narrower, and come along when text is copied.
_BLANKS = re.compile(r" +$", re.MULTILINE)


class Screen(View):
    """The view of a talk. While a prompt is open below it (`prompted`), nothing that moves is shown above.

    `changed` is called when something that the toolbar tells has changed: `activity`, `usage`.
    """

    _unfold = "; /output shows all"

    def __init__(self, *, color: Color = "auto") -> None:
        super().__init__(color=color)
        self.changed: Callable[[], None] = lambda: None
        self.prompted = False
        self.activity = ""
        self.usage: Usage | None = None
        # Lines of a program that are on the screen while more of it is written.
        self._written: list[str] = []

    def show(self, event: Event) -> None:
        match event:
            case Prompted() | Answered():
                self._written = []
            case Delta(text=text) if self.prompted:
                if self.activity != "writing":
                    self.busy("writing")
                super().show(event)
                if "\n" in text:
                    self._writing()
                return
            case Used(usage=usage):
                self.usage = usage
                self.changed()
        super().show(event)

    def busy(self, text: str) -> None:
        if not self.prompted:
            super().busy(text)
        elif text != self.activity:
            self.activity = text
            self.changed()

    def rest(self) -> None:
        """Nothing goes on any more."""
        self.idle()
        self.activity = ""
        self.changed()

    def _writing(self) -> None:
        lines = self.begun(self._reply) if self._live and self.begun is not None else None
        if lines is not None and len(lines) > len(self._written):
            shown = len(self._written)
            self._written = lines
            self._code(visible("\n".join(lines)), shown)

    def _program(self, code: str) -> None:
        written, self._written = self._written, []
        # Dialects may read a program in another way than it was written; then it is shown as it runs.
        begin = len(written) if written == code.split("\n")[: len(written)] else 0
        lines = code.rstrip("\n").split("\n")
        if begin < len(lines):
            self._code(visible("\n".join(lines)), begin)

    def _call(self, event: Called) -> None:
        if self.err.is_terminal:
            self.err.print(self._call_line(event, self.err.width), no_wrap=True, overflow="ellipsis")
        else:
            super()._call(event)

    def _markdown(self, text: str) -> None:
        with self.out.capture() as captured:
            self.out.print(Markdown(text))
        self.out.file.write(_BLANKS.sub("", captured.get()))
        self.out.file.flush()
