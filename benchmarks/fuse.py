"""Ways to fuse an adapter into a 4-bit base: size, and how far each is from base + adapter, on held-back rows.

    python benchmarks/fuse.py [MODEL] [ROWS]

The model (default: embedded) is packed into 4 bits first. Its adapter is the one in use; it was trained on the
unpacked weights, which is no matter here: base + adapter on the 4-bit base is what all are compared with. `mlx_lm fuse`
is mlx_lm's own `fuse`, in this process, with the base's bits.
"""

import sys
import tempfile
from pathlib import Path

from punie_cli.agent.open import Choice, choose
from punie_cli.models.files import check_complete, read_config
from punie_cli.models.load import load_tokenizer, offline
from punie_cli.settings import Settings
from punie_cli.training.equivalence import Subject, compare, held_back
from punie_cli.training.fuse import MODES, fuse
from punie_cli.training.quantize import quantize


def main(arguments: list[str]) -> None:
    chosen = choose(Settings(model=arguments[0] if arguments else "embedded"))
    rows = held_back(None, int(arguments[1]) if len(arguments) > 1 else 16)
    if chosen.core is None or chosen.adapter is None:
        raise SystemExit(f"{chosen.name} has no adapter that punie trained")
    with tempfile.TemporaryDirectory() as scratch:
        base = quantize(str(chosen.model), bits=4, out=f"{scratch}/packed").folder
        choice = Choice(str(base), base, chosen.adapter, chosen.core)
        made: dict[str, Path] = {mode: fuse(choice, mode=mode, out=f"{scratch}/{mode}").folder for mode in MODES}
        made["float16, 5 bits"] = quantize(str(made["float16"]), bits=5, out=f"{scratch}/float16-5bit").folder
        made["mlx_lm fuse"] = stock_fuse(base, chosen.adapter, Path(scratch) / "stock")
        made["no adapter"] = base
        reference = Subject(base, chosen.adapter)
        print(f"{len(rows)} rows; reference: 4-bit base + {chosen.adapter.name}, {reference.precision}")
        print(f"{'way':16} {'MB':>7} {'bits':>6} {'KL mean':>10} {'KL max':>9} {'agree':>7}")
        for way, folder in made.items():
            found = compare(reference, Subject(folder), chosen.core, rows, programs=False)
            weights = check_complete(folder)
            print(
                f"{way:16} {weights.size / 1e6:7.1f} {weights.bits:6.2f} {found.kl_mean:10.2e} {found.kl_max:9.2e} "
                f"{found.agreement:7.1%}",
                flush=True,
            )


def stock_fuse(base: Path, adapter: Path, target: Path) -> Path:
    """What `mlx_lm.fuse` does without --dequantize."""
    with offline():
        from mlx.utils import tree_unflatten
        from mlx_lm.utils import load_adapters, load_model, save

        model, _ = load_model(base)
        model = load_adapters(model, str(adapter))
        layers = [(name, module) for name, module in model.named_modules() if hasattr(module, "fuse")]
        model.update_modules(tree_unflatten([(name, module.fuse(dequantize=False)) for name, module in layers]))
        save(target, base, model, load_tokenizer(base), read_config(base))
    return target


if __name__ == "__main__":
    main(sys.argv[1:])
