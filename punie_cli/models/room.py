"""How much memory a model takes while it talks, and how much is free now. In bytes."""

from pathlib import Path

import psutil

from punie_cli.models.files import check_complete

# Beside the weights: the cache, and what a computation holds meanwhile.
_ROOM = 1.25


def need(folder: Path) -> int:
    """What the model in a folder takes here. Raises MissingError for one that is not whole."""
    from punie_cli.engine.blas import backend

    weights = check_complete(folder)
    # On the CPU all weights become float32.
    return int((4 * weights.parameters if backend() == "cpu" else weights.size) * _ROOM)


def free() -> int:
    """What another model could take now, beside those that this process has loaded."""
    from punie_cli.engine.blas import backend

    if backend() == "cuda":
        import mlx.core as mx

        from punie_cli.models.catalogue import memory

        return int(memory().usable_gb * 1e9 - mx.get_active_memory())
    return psutil.virtual_memory().available
