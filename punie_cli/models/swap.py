"""Another adapter on a model that is loaded: of the base only the layers that the last adapter changed are read again.

The result has the same bits as a model that is loaded anew. Engine thread only.
"""

from pathlib import Path
from typing import Any

from punie_cli.models.files import read_header
from punie_cli.models.load import offline, put_on, unread

# What mlx_lm's LoRA layers call the layer below them.
_INNER = ("linear", "embedding")


def changed_by(model: Any, adapter: Path | None) -> frozenset[str]:
    """Names of the weights of the base that an adapter, just put on, changes; to be asked before layers are merged."""
    if adapter is None:
        return frozenset()
    below = _below(model)
    # Without layers of its own it is full training: its file has weights of the base.
    return frozenset(below or read_header(adapter / "adapters.safetensors"))


def swapped(live: Any, changed: frozenset[str], path: Path, adapter: Path | None) -> Any:
    """A model with `adapter` that shares with `live`, loaded from `path`, all weights that are not `changed`.

    `live` is left as it is. Raises MissingError for an adapter that does not fit.
    """
    import mlx.core as mx
    from mlx.utils import tree_flatten

    with offline():
        model, _ = unread(path)
        leaves: Any = dict(tree_flatten(live.parameters()))
        shared = {name: array for name, array in leaves.items() if name not in changed} | _below(live)
        model.load_weights(list(shared.items()), strict=False)
        mx.eval(model.parameters())
        if adapter is not None:
            put_on(model, adapter, path)
        model.eval()
        return model


def _below(model: Any) -> dict[str, Any]:
    """Weights of the base below LoRA layers, by the names that they have in the base; none once these are merged."""
    from mlx.utils import tree_flatten

    found = {}
    for layer, module in model.named_modules():
        if hasattr(module, "fuse"):
            inner: Any = next(module[name] for name in _INNER if name in module)
            leaves: Any = tree_flatten(inner.parameters())
            found |= {f"{layer}.{name}": array for name, array in leaves}
    return found
