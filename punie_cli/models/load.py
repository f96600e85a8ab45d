"""Loads a model directory into MLX: checked first, offline, in the precision that suits the backend.

Call `load` on the thread that will compute with the model.
"""

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from punie_cli.engine.blas import load_blas, require_backend
from punie_cli.errors import BusyError, MissingError, UsageError
from punie_cli.models.files import Weights, check_complete, pull_hint, read_header


@dataclass(frozen=True)
class Precision:
    """How a model runs here: `dtype` None keeps that of the files; `text` is for results and reports."""

    dtype: str | None
    expanded: bool
    text: str


def precision(config: dict[str, Any]) -> Precision:
    """The precision that `load` uses for a model with this configuration on the installed backend."""
    # Only float32 products use a BLAS; float16 and quantized ones are scalar loops on the CPU backend.
    stored = _stored(config)
    if require_backend() != "cpu":
        return Precision(None, False, stored)
    if _quantization(config):
        return Precision("float32", True, f"{stored}, expanded to float32 on the CPU")
    return Precision("float32", False, "float32" if stored == "float32" else f"{stored}, run as float32")


def load(path: Path, adapter: Path | None = None) -> tuple[Any, Any, dict[str, Any]]:
    """Load (model, tokenizer, config) from a local directory, with LoRA weights on top if `adapter` is given.

    The tokenizer is mlx_lm's wrapper. Raises MissingError for an incomplete model or an adapter that does not
    fit, UsageError for a model that mlx_lm does not know, BusyError when memory is short on the CPU.
    """
    load_blas()
    require_backend()
    weights = check_complete(path)
    with offline():
        import mlx.core as mx

        model, config = unread(path)
        if precision(config).dtype:
            _require_memory(path, weights)
        mx.eval(model.parameters())
        if adapter is not None:
            put_on(model, adapter, path)
        model.eval()
        return model, load_tokenizer(path, config), config


def unread(path: Path) -> tuple[Any, dict[str, Any]]:
    """(model, config) in the precision of here; a weight is read from the disk when it is first computed with."""
    import mlx.core as mx
    from mlx_lm.utils import dequantize_model, load_model

    try:
        model, config = load_model(path, lazy=True, trust_remote_code=False)
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"model {path.name} cannot be loaded: {_first_line(error)}") from error
    how = precision(config)
    if how.dtype:
        dtype = getattr(mx, how.dtype)
        # Scales go to float32 before the product, so that expanded weights are exactly scale * q + bias.
        model.set_dtype(dtype)
        if how.expanded:
            model = dequantize_model(model)
            model.set_dtype(dtype)
    return model, config


def put_on(model: Any, adapter: Path, path: Path) -> None:
    """Add the layers of an adapter to the model of `path`. MissingError for one that does not fit."""
    import mlx.core as mx
    from mlx_lm.utils import load_adapters

    check_adapter(adapter)
    try:
        load_adapters(model, str(adapter))
    except ValueError as error:
        message = f"adapter {adapter} does not fit model {path.name}: {_first_line(error)}"
        raise MissingError(message, "punie models list") from error
    mx.eval(model.parameters())


def load_tokenizer(path: Path, config: dict[str, Any] | None = None) -> Any:
    """mlx_lm's tokenizer wrapper alone; MissingError when it knows none of the end tokens."""
    with offline():
        from mlx_lm.tokenizer_utils import load as wrap
        from mlx_lm.utils import load_config

        if config is None:
            config = load_config(path)
        try:
            tokenizer = wrap(path, {"trust_remote_code": False}, eos_token_ids=config.get("eos_token_id"))
        except Exception as error:
            # The tokenizers library raises plain Exception, transformers many kinds, for a damaged file.
            message = f"the tokenizer of {path} cannot be loaded: {_first_line(error)}"
            raise MissingError(message, pull_hint(path)) from error
    ends = set(tokenizer.eos_token_ids or ()) - {None}
    if not ends & set(tokenizer.get_vocab().values()):
        # Without an end token every reply would run to the limit of tokens.
        raise MissingError(
            f"model {path} names no end token that its tokenizer knows ({sorted(ends)})", pull_hint(path)
        )
    return tokenizer


def check_adapter(folder: Path) -> None:
    """Raise MissingError unless both files of an adapter are there and the weights are whole."""
    for name in ("adapter_config.json", "adapters.safetensors"):
        if not (folder / name).is_file():
            raise MissingError(f"adapter {folder} has no {name}")
    read_header(folder / "adapters.safetensors")


@contextlib.contextmanager
def offline() -> Generator[None]:
    """No request leaves through huggingface_hub inside the block, whatever the environment says."""
    # transformers asks the hub about a tokenizer even when it is given a local folder.
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _require_memory(path: Path, weights: Weights) -> None:
    need, free = 4 * weights.parameters, psutil.virtual_memory().available
    if need > free:
        message = f"model {path.name} needs {need / 1e9:.1f} GB as float32 on the CPU, {free / 1e9:.1f} GB are free"
        raise BusyError(message, "punie models list")


def _quantization(config: dict[str, Any]) -> dict[str, Any] | None:
    return config.get("quantization") or config.get("quantization_config")


def _stored(config: dict[str, Any]) -> str:
    bits = (_quantization(config) or {}).get("bits")
    if bits:
        return f"{bits} bits"
    return config.get("torch_dtype") or config.get("dtype") or "unknown precision"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
