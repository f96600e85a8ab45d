"""Models that suit a machine, by its memory. Full attention only: their caches can be trimmed and reused."""

from dataclasses import dataclass

import psutil

from punie_cli.engine.blas import backend

# The part of the memory that a model and its cache may take beside the system and other programs.
_SHARE = 0.7
# Cache and activations on top of the weights, as a part of them and as a fixed amount. Training the adapter of
# a 30B model with 17.2 GB of weights peaked at 21 GB; a 4B model with 2.3 GB talked in 3.4 GB.
_OVERHEAD, _OVERHEAD_GB = 0.2, 1.1


@dataclass(frozen=True)
class Entry:
    """A model to pull: size of its files in GB, parameters in billions."""

    name: str
    size_gb: float
    parameters: float
    note: str

    def need_gb(self, backend: str) -> float:
        """Memory for weights, cache and activations, enough to talk and to train an adapter with batch 1."""
        # On the CPU backend all weights become float32: 4 bytes each.
        weights = 4 * self.parameters if backend == "cpu" else self.size_gb
        return round(weights * (1 + _OVERHEAD) + min(_OVERHEAD_GB, weights), 1)


# Best first. Sizes are those of the files.
CATALOGUE = (
    Entry(
        "mlx-community/Qwen3-Coder-30B-A3B-Instruct-8bit",
        32.4,
        30.5,
        "3 billion active; closest to the original",
    ),
    Entry("mlx-community/Qwen3-Coder-30B-A3B-Instruct-4bit", 17.2, 30.5, "3 billion active: fast for its size"),
    Entry("mlx-community/Qwen2.5-Coder-14B-Instruct-4bit", 8.3, 14.8, "for 24 GB"),
    Entry("mlx-community/Qwen2.5-Coder-7B-Instruct-4bit", 4.3, 7.6, "for 16 GB"),
    Entry("mlx-community/Qwen3-4B-Instruct-2507-4bit", 2.3, 4.0, "general, long context"),
    Entry("mlx-community/Qwen2.5-Coder-3B-Instruct-4bit", 1.7, 3.1, "for 8 GB"),
    Entry("mlx-community/Qwen2.5-Coder-1.5B-Instruct-4bit", 0.9, 1.5, "when memory is short"),
    Entry("embedded", 0.3, 0.135, "needs no hub; made to be retrained"),
)


@dataclass(frozen=True)
class Memory:
    """Memory of this machine for models, in GB, and where the figure is from."""

    total_gb: float
    usable_gb: float
    source: str


def memory() -> Memory:
    """Memory for models. Asks MLX for the GPU's on Metal and CUDA, so call it where mlx may be imported."""
    total = psutil.virtual_memory().total / 1e9
    if backend() in ("metal", "cuda"):
        import mlx.core as mx

        device = mx.device_info()
        if "max_recommended_working_set_size" in device:
            return Memory(total, float(device["max_recommended_working_set_size"]) / 1e9, "Metal's working set")
        if backend() == "cuda" and "total_memory" in device:
            gpu = float(device["total_memory"]) / 1e9
            return Memory(gpu, gpu * 0.9, "the GPU's memory")
    return Memory(total, total * _SHARE, f"{_SHARE:.0%} of the RAM")


def suits(memory_gb: float, on: str | None = None) -> list[Entry]:
    """Entries that run within `memory_gb` usable GB, best first; the embedded model is always among them.

    `on` is a backend: metal, cuda or cpu; None is the installed one.
    """
    on = on or backend()
    return [entry for entry in CATALOGUE if entry.name == "embedded" or entry.need_gb(on) <= memory_gb]
