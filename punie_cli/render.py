"""The view of a session: programs, calls, outputs, answers and diffs. Only here and in `printing` things are styled.

Answers go to stdout, all else to stderr. Text of the model or of a tool is shown with its control characters
escaped, so that it cannot steer the terminal.
"""

import contextlib
import re
import sys
from collections.abc import Callable, Iterable
from typing import Any, Literal

from rich.console import Console
from rich.markdown import Markdown
from rich.syntax import Syntax
from rich.text import Text

from punie_cli.agent.dialects import Step, output_body
from punie_cli.agent.events import Answered, Called, Compacted, Delta, Event, Noted, Output, Program, Prompted
from punie_cli.agent.execute import as_message
from punie_cli.agent.messages import expand
from punie_cli.approvals import Question, visible
from punie_cli.event_text import call_text, compacted_text, error_text, folded, outcome_text
from punie_cli.progress import Course, training_text
from punie_cli.training.reports import Step as TrainingStep

Color = Literal["auto", "always", "never"]

_SLOW_S = 1.0
_GUTTER = "│ "
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_DIFF_STYLES = (("+++", "bold"), ("---", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))


class View:
    """Shows the events of a session.

    `quiet` leaves out programs, calls and outputs; `answers` off leaves stdout to someone else (`--json`).
    On a terminal an answer is shown block by block while it is written: `parse` reads a reply so far.
    """

    # How to see the whole of what was folded.
    _unfold = ""

    def __init__(self, *, color: Color = "auto", quiet: bool = False, answers: bool = True) -> None:
        self.out = console(sys.stdout, color)
        self.err = console(sys.stderr, color)
        self._last = ""
        self.parse: Callable[[str], Step] | None = None
        self.begun: Callable[[str], list[str] | None] | None = None
        self.whole = ""
        """The last output of a program, unfolded."""
        self._quiet = quiet
        self._answers = answers
        self._reply = ""
        self._shown = 0
        self._status: Any = None
        self._progress = ""
        self._course = Course()

    def show(self, event: Event) -> None:
        """One event of a turn."""
        match event:
            case Prompted():
                self._reset()
                self.busy("thinking")
            case Delta(text=text):
                self._reply += text
                # Only a line end can finish a block.
                if "\n" in text:
                    self._stream()
            case Program(code=code):
                self._reset()
                self._program(code)
                self.busy("running")
            case Called():
                self._call(event)
            case Output():
                self._last = output_body(as_message(event))
                parts = (event.text.rstrip("\n"), error_text(event.error) if event.error else "")
                self.whole = "\n".join(part for part in parts if part)
                self._output(event)
                self.busy("thinking")
            case Answered():
                self.idle()
                self._answer(event)
            case Noted(text=text) if not self._quiet:
                self.note(text)
                self.busy("thinking")
            case Compacted() if not self._quiet:
                self.note(compacted_text(event))
                self.busy("thinking")

    def question(self, question: Question) -> None:
        """What a program wants to do, with the diff of a write."""
        self.idle()
        self.err.print(Text(f"A program wants to {question.summary}", style="bold"))
        if question.diff is not None:
            self.diff(question.diff)

    def change(self, question: Question) -> None:
        """What is done without a question, where it has a diff."""
        if question.diff is not None and not self._quiet:
            self.idle()
            self.err.print(Text(question.summary, style="bold"))
            self.diff(question.diff)

    def diff(self, text: str) -> None:
        """A unified diff in colours."""
        for line in text.splitlines():
            style = next((style for start, style in _DIFF_STYLES if line.startswith(start)), "")
            self.err.print(Text(line, style=style))

    def write(self, text: str) -> None:
        """What a program printed, on stdout as it is; on a terminal with control characters escaped."""
        self.idle()
        self.out.file.write(visible(text) if self.out.is_terminal else text)
        self.out.file.flush()

    def note(self, text: str) -> None:
        """One line on stderr, also when quiet."""
        self.idle()
        self.err.print(Text(text, style="dim"))

    def unanswered(self, command: str, rules: Iterable[str]) -> None:
        """Questions were refused because nobody was there; `rules` are the words for --allow."""
        self.note("Refused: nobody is at the terminal")
        self.note(f"Try: punie {command} --allow {','.join(rules)} …")

    def error(self, message: str, hint: str | None = None) -> None:
        """A failure that the session survives."""
        self.idle()
        self.err.print(Text(f"Error: {message}", style="red"))
        if hint:
            self.err.print(Text(f"Try: {hint}"))

    def busy(self, text: str) -> None:
        """On a terminal: say that something goes on, until the next thing is shown."""
        self.idle()
        if self._quiet or not self._answers or not self.err.is_terminal or self.err.is_dumb_terminal:
            return
        self._status = self.err.status(Text(text, style="dim"))
        self._status.start()

    def progress(self, text: str, done: int = 0, total: int = 0, unit: str = "") -> None:
        """How far long work is: one changing line on a terminal, a new line for each new text elsewhere."""
        if self._quiet:
            return
        if self.err.is_terminal and not self.err.is_dumb_terminal:
            part = f": {done} of {total} {unit}" if total else f": {done} {unit}" if done else ""
            if self._status is None:
                self.busy(text + part)
            else:
                self._status.update(Text(text + part, style="dim"))
        elif text != self._progress:
            self.note(text)
        self._progress = text

    def pulling(self, step: Any) -> None:
        """A `models.building.PullStep`."""
        self.progress(step.text, step.done // 1_000_000, step.total // 1_000_000, "MB")

    def rows(self, text: str, done: int, total: int) -> None:
        """Progress of a comparison."""
        self.progress(text, done, total, "rows")

    def training(self, event: Any) -> None:
        """What a training run reports; steps pass by on a terminal, with the course of the loss, all else stays."""
        if isinstance(event, TrainingStep):
            if self.err.is_terminal and not self.err.is_dumb_terminal:
                self.progress(self._course.live(event))
            elif self._course.tells(event):
                self.note(training_text(event))
        elif text := training_text(event):
            self.note(text)

    def stage(self, event: Any) -> None:
        """What a pipeline reports, and the trainings in it."""
        # Imports half of the rooms, which a talk does not need.
        from punie_cli.phases import stage_text
        from punie_cli.training.stages import StageProgress

        if isinstance(event, StageProgress):
            self.progress(event.text, event.done, event.total, event.unit)
        elif text := stage_text(event):
            self.note(text)
        else:
            self.training(event)

    def lines(self, text: str, begin: int = 0) -> None:
        """Text that no model wrote, folded where it is long; the first `begin` lines are on the screen already."""
        self.idle()
        for line in folded(visible(text).splitlines(), self._unfold)[begin:]:
            self.err.print(Text(f"  {line}"), soft_wrap=True)

    def rest(self) -> None:
        """Nothing goes on any more."""
        self.idle()

    def bell(self) -> None:
        """Ring the bell of a terminal."""
        if self.err.is_terminal:
            self.err.bell()

    def idle(self) -> None:
        """Take that sign away."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _reset(self) -> None:
        self.idle()
        self._reply, self._shown = "", 0

    def _stream(self) -> None:
        if not self._live or self.parse is None:
            return
        step = self.parse(self._reply)
        if step.kind != "answer" or not step.closed:
            return
        text = step.text.lstrip()
        end = finished_blocks(text)
        if end > self._shown:
            self._block(text[self._shown : end])
            self._shown = end

    @property
    def _live(self) -> bool:
        return self._answers and self.out.is_terminal and not self.out.is_dumb_terminal

    def _answer(self, event: Answered) -> None:
        if not self._answers:
            return
        if self._live:
            written = event.text if event.written is None else event.written
            self._block(written[self._shown :])
            self._reset()
        else:
            # A terminal that is not one for rich still is a terminal.
            text = visible(event.text) if self.out.is_terminal else event.text
            self.out.file.write(f"{text}\n")
            self.out.file.flush()
        if event.finish == "length":
            self.note("(cut short: the reply reached its limit of tokens; --max-tokens sets it)")

    def _block(self, text: str) -> None:
        if not text.strip():
            return
        self.idle()
        if self._shown:
            self.out.print()
        # Markdown would join the lines of an output.
        fenced = expand(text, f"~~~~text\n{self._last}\n~~~~")
        self._markdown(visible(fenced).strip("\n"))

    def _markdown(self, text: str) -> None:
        self.out.print(Markdown(text))

    def _program(self, code: str) -> None:
        self._code(visible(code).rstrip("\n"))

    def _code(self, code: str, begin: int = 0) -> None:
        """The lines of a program from `begin` on, coloured as parts of the whole."""
        if self._quiet:
            return
        lines = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(code)
        for line in lines.split("\n", allow_blank=True)[begin : code.count("\n") + 1]:
            self.err.print(Text(_GUTTER, style="dim") + line, soft_wrap=True)

    def _call(self, event: Called) -> None:
        if self._quiet:
            return
        self.idle()
        self.err.print(self._call_line(event), soft_wrap=True)

    def _call_line(self, event: Called, width: int | None = None) -> Text:
        """A call and what it came to. In `width` columns the call is cut first, but for half of them."""
        summary, behind = outcome_text(event), Text()
        if summary:
            behind += Text(f" → {summary}", style="" if event.ok else "red")
        if event.seconds >= _SLOW_S:
            behind += Text(f" ({event.seconds:.0f} s)", style="dim")
        call = Text(call_text(event.builtin, event.args))
        if width is not None:
            call.truncate(max(width - 2 - behind.cell_len, width // 2), overflow="ellipsis")
        return Text("• ", style="dim") + call + behind

    def _output(self, event: Output) -> None:
        self.idle()
        if self._quiet:
            return
        self.lines(event.text.rstrip("\n"))
        if event.error is not None:
            self.err.print(Text(f"  {error_text(event.error)}", style="red"), soft_wrap=True)


def finished_blocks(text: str) -> int:
    """The number of characters up to the last blank line outside a fence: what stands before it will not change."""
    end = position = 0
    fence = ""
    for line in text.splitlines(keepends=True):
        position += len(line)
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip(" \t\r\n" + fence[0]):
                fence = ""
        elif mark:
            fence = mark[1]
        elif line.endswith("\n") and not line.strip():
            end = position
    return end


def console(file: Any, color: Color) -> Console:
    """A console that neither reads markup nor breaks lines in a pipe."""
    # rich itself reads NO_COLOR and FORCE_COLOR.
    found = Console(
        file=file,
        force_terminal=True if color == "always" else None,
        no_color=True if color == "never" else None,
        markup=False,
        highlight=False,
        emoji=False,
    )
    if not found.is_terminal:
        # A pipe has no width: lines stay whole.
        found.soft_wrap = True
    with contextlib.suppress(AttributeError, ValueError):
        file.reconfigure(errors="backslashreplace")
    return found
