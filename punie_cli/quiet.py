"""Python warns about code that a model wrote; nobody is to see that."""

import contextlib
import threading
import warnings
from collections.abc import Generator

# catch_warnings changes what the whole process shows: two threads inside it at once leave it changed.
_lock = threading.Lock()


@contextlib.contextmanager
def quiet() -> Generator[None]:
    """Without warnings in this block; safe in the engine's thread and on the event loop at the same time."""
    with _lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
