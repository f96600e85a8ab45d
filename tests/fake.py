"""An engine with a queue of replies, for tests of what stands above engines."""

from collections.abc import AsyncGenerator, Iterable

from punie_cli.engine.base import Finish, Prompt, Reply, Text, Usage


class QueueEngine:
    """Answers each prompt with the next of `replies`, in pieces; `prompts` records what it was asked.

    A reply is a text, or a text with how it ends: ("half an ans", "length"). A reply that ends as "cancelled"
    leaves out nothing of its text. After `cancel()` the reply under way ends with the pieces that are out. A
    prompt more than there are replies is an AssertionError.
    """

    def __init__(
        self, replies: Iterable[str | tuple[str, Finish]], *, name: str = "fake", adapter: str | None = None
    ) -> None:
        self.name = name
        self.adapter = adapter
        self.prompts: list[Prompt] = []
        self.closed = False
        self._replies = list(replies)
        self._cancelled = False

    @property
    def left(self) -> int:
        """Replies that nobody asked for yet."""
        return len(self._replies)

    async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncGenerator[Text | Reply]:
        self._cancelled = False
        self.prompts.append(prompt)
        assert self._replies, f"prompt {len(self.prompts)} came, and the queue is empty: {prompt.messages[-1:]}"
        reply = self._replies.pop(0)
        text, finish = (reply, "stop") if isinstance(reply, str) else reply
        out = ""
        for piece in _pieces(text):
            out += piece
            yield Text(piece)
            if self._cancelled:
                finish = "cancelled"
                break
        yield Reply(out, list(out.encode()), finish, Usage())

    def cancel(self) -> None:
        self._cancelled = True

    async def close(self) -> None:
        self.closed = True


def _pieces(text: str) -> list[str]:
    size = max(1, len(text) // 3)
    return [text[i : i + size] for i in range(0, len(text), size)]
