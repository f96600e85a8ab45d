"""An engine over a model that is already loaded, in the thread that loaded it: what training probes itself with.

LoRA layers stay as they are, and the model is in evaluation mode only while it replies.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import closing
from typing import Any

from punie_cli.engine.base import Prompt, Reply, Text
from punie_cli.engine.decoder import Decoder


class LiveEngine:
    """Greedy replies of `model`. It blocks the event loop while it decodes; `stopped` ends a reply within a token.

    The KV cache belongs to the weights of now: after a step of training make a new engine.
    """

    adapter = None

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str = "live",
        context: int | None = None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.name = name
        self._model = model
        self._stopped = stopped
        self._cancelled = False
        self._decoder = Decoder(model, tokenizer, context=context, merge=False)

    async def generate(self, prompt: Prompt, *, max_tokens: int = 512) -> AsyncGenerator[Text | Reply]:
        """Stream the reply to `prompt.tokens`; the mode of the model is afterwards as it was."""
        self._cancelled = False
        training = self._model.training
        self._model.eval()
        try:
            told = (prompt.tags, prompt.names)
            with closing(self._decoder.generate(prompt.tokens, max_tokens, self._ended, *told)) as events:
                for event in events:
                    yield event
        finally:
            self._model.train(training)

    def cancel(self) -> None:
        """End the reply under way."""
        self._cancelled = True

    async def close(self) -> None:
        """Give the KV cache back; the model is the caller's."""
        self._decoder.forget()

    def _ended(self) -> bool:
        return self._cancelled or self._stopped()
