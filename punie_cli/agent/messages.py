"""What a conversation is made of: the one form that chat stores, rows hold and the renderer reads."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["user", "program", "output", "answer"]


class Message(BaseModel):
    """One message in neutral form, before any dialect or chat template."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    text: str
    error: str | None = None
    """Only for an output: how the program failed, as `Kind: message`."""

    @property
    def from_model(self) -> bool:
        """Whether the model wrote it: these messages, and no others, are trained on."""
        return self.role in ("program", "answer")


OUTPUT_LINE = "<output/>"
"""A line of an answer that stands for the last output: a small model need not copy what is already there."""


def expand(written: str, last: str | None) -> str:
    """The answer as the user reads it: the last output, if there is one, in place of each line `<output/>`."""
    lines = [last if line.strip() == OUTPUT_LINE else line for line in written.split("\n")]
    return "\n".join(line for line in lines if line is not None)


def user(text: str) -> Message:
    """A message of the person."""
    return Message(role="user", text=text)


def program(code: str) -> Message:
    """A step of the model that acts."""
    return Message(role="program", text=code)


def output(text: str, error: str | None = None) -> Message:
    """What a program printed, and how it failed."""
    return Message(role="output", text=text, error=error)


def answer(text: str) -> Message:
    """The step of the model that ends a turn."""
    return Message(role="answer", text=text)
