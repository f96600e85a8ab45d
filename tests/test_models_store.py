import json
from pathlib import Path

import pytest
from tiny import make_tiny_model

from punie_cli.errors import MissingError, UsageError
from punie_cli.models import history, store
from punie_cli.models.building import write_json
from punie_cli.models.catalogue import CATALOGUE, memory, suits
from punie_cli.models.store import InUse, ModelInfo


@pytest.fixture
def models(punie_home: Path) -> Path:
    """A store with the embedded model (a tiny one) and one from the hub."""
    folder = punie_home / "data" / "models"
    make_tiny_model(folder / "smollm2-135m")
    write_json(folder / "smollm2-135m" / "punie.json", {"source": "embedded", "licence": "Apache-2.0"})
    make_tiny_model(folder / "Tiny-4bit", seed=1)
    record = {"source": "hub", "origin": "owner/Tiny-4bit", "revision": "abc"}
    write_json(folder / "Tiny-4bit" / "punie.json", record)
    (folder / ".Other.x.part").mkdir()
    return folder


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        (None, "smollm2-135m"),
        ("embedded", "smollm2-135m"),
        ("smollm2-135m", "smollm2-135m"),
        ("Tiny-4bit", "Tiny-4bit"),
        ("owner/Tiny-4bit", "Tiny-4bit"),
    ],
)
def test_a_model_is_found_by_its_names(models: Path, name: str | None, folder: str) -> None:
    assert store.find(name) == models / folder


def test_a_local_folder_needs_a_path(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = make_tiny_model(tmp_path / "project" / "mine")
    # A folder of the project that has the name of a model must not stand in for it.
    make_tiny_model(tmp_path / "project" / "owner" / "Tiny-4bit")
    make_tiny_model(tmp_path / "project" / "smollm2-135m")
    monkeypatch.chdir(project.parent)
    assert store.find("./mine") == store.find(str(project)) == store.find("../project/mine") == project
    assert store.find("owner/Tiny-4bit") == models / "Tiny-4bit"
    assert store.find("smollm2-135m") == models / "smollm2-135m"
    with pytest.raises(MissingError) as caught:
        store.find("mine")
    assert caught.value.message == "no model 'mine'; in the store: Tiny-4bit, smollm2-135m"


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (None, "the embedded model smollm2-135m is not here yet", "punie models pull embedded"),
        ("embedded", "the embedded model smollm2-135m is not here yet", "punie models pull embedded"),
        ("other", "no model 'other'; in the store: none", "punie models list"),
        ("a/b", "no model 'a/b'; in the store: none", "punie models pull a/b"),
        ("/no/where", "no model directory /no/where", "punie models list"),
        ("", "no model ''; in the store: none", "punie models list"),
        (".hidden", "no model '.hidden'; in the store: none", "punie models list"),
        ("a/../../b", "no model 'a/../../b'; in the store: none", "punie models pull a/../../b"),
    ],
)
def test_a_missing_model_names_the_command_that_gets_it(name: str | None, message: str, hint: str) -> None:
    with pytest.raises(MissingError) as caught:
        store.find(name)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def size_gb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.iterdir()) / 1e9


def test_the_list_has_the_store_and_the_local_one_in_use(models: Path, tmp_path: Path) -> None:
    tiny, embedded = models / "Tiny-4bit", models / "smollm2-135m"
    assert store.list_models() == [
        ModelInfo("Tiny-4bit", tiny, "hub", size_gb(tiny), False),
        ModelInfo("smollm2-135m", embedded, "embedded", size_gb(embedded), True),
    ]
    local = make_tiny_model(tmp_path / "mine")
    store.use(str(local))
    assert store.list_models() == [
        ModelInfo("Tiny-4bit", tiny, "hub", size_gb(tiny), False),
        ModelInfo("smollm2-135m", embedded, "embedded", size_gb(embedded), False),
        ModelInfo(str(local), local, "local", size_gb(local), True),
    ]


def test_show_tells_what_a_model_is(models: Path) -> None:
    card = store.show("embedded")
    folder = models / "smollm2-135m"
    assert vars(card) == {
        "name": "smollm2-135m",
        "path": folder,
        "source": "embedded",
        "origin": "",
        "revision": "",
        "licence": "Apache-2.0",
        "architecture": "llama",
        "layers": 2,
        "parameters": 99_648,
        "bits": (folder / "model.safetensors").stat().st_size * 8 / 99_648,
        "context": 2048,
        "size": sum(path.stat().st_size for path in folder.iterdir()),
        "sha256": card.sha256,
    }
    assert store.show("owner/Tiny-4bit").sha256 != card.sha256


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\n---\ntext", "mit"),
        ("---\ntags: x\n---\nlicense: no", "unknown"),
        (None, "unknown"),
    ],
)
def test_the_licence_comes_from_the_model_card(models: Path, card: str | None, licence: str) -> None:
    if card is not None:
        (models / "Tiny-4bit" / "README.md").write_text(card)
    assert store.show("Tiny-4bit").licence == licence


def test_use_remembers_what_was_before(models: Path, punie_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "time_now", lambda: "2026-01-02T03:04:05+00:00")
    adapter = punie_home / "data" / "adapters" / "phase-23"
    adapter.mkdir(parents=True)
    assert (store.in_use(), store.previous()) == (InUse("smollm2-135m"), None)
    assert store.use("owner/Tiny-4bit", "phase-23") == InUse("Tiny-4bit", "phase-23")
    assert (store.in_use(), store.previous()) == (InUse("Tiny-4bit", "phase-23"), InUse("smollm2-135m"))
    assert store.find() == models / "Tiny-4bit"
    store.use("embedded")
    assert (store.in_use(), store.previous()) == (InUse("smollm2-135m"), InUse("Tiny-4bit", "phase-23"))
    assert json.loads((punie_home / "data" / "in_use.json").read_text()) == {
        "model": "smollm2-135m",
        "adapter": None,
        "since": "2026-01-02T03:04:05+00:00",
        "how": "punie models use embedded",
        "before": [
            {
                "model": "Tiny-4bit",
                "adapter": "phase-23",
                "since": "2026-01-02T03:04:05+00:00",
                "how": "punie models use owner/Tiny-4bit --adapter phase-23",
            },
            {"model": "smollm2-135m", "adapter": None},
        ],
        "rejected": [],
    }


def test_what_is_gone_is_not_in_use(models: Path, punie_home: Path) -> None:
    adapter = punie_home / "data" / "adapters" / "phase-23"
    adapter.mkdir(parents=True)
    store.use("Tiny-4bit", "phase-23")
    adapter.rmdir()
    lost = "Tiny-4bit + phase-23 was in use, and adapter phase-23 is gone: the embedded model is used"
    assert store.in_use() == InUse("smollm2-135m", None, lost)
    assert store.find() == models / "smollm2-135m"
    adapter.mkdir()
    assert store.in_use() == InUse("Tiny-4bit", "phase-23")
    (models / "Tiny-4bit").rename(models / "other")
    assert store.in_use().lost.startswith("Tiny-4bit + phase-23 was in use, and model Tiny-4bit is gone")


def test_the_file_of_an_older_punie(models: Path, punie_home: Path) -> None:
    kept = {"model": "Tiny-4bit", "adapter": "none", "previous": {"model": "smollm2-135m", "adapter": None}}
    write_json(punie_home / "data" / "in_use.json", kept)
    assert (store.in_use(), store.previous()) == (InUse("Tiny-4bit", "none"), InUse("smollm2-135m"))


def test_a_damaged_model_is_not_put_in_use(models: Path) -> None:
    (models / "Tiny-4bit" / "model.safetensors").write_bytes(b"12345678")
    with pytest.raises(MissingError):
        store.use("Tiny-4bit")
    assert store.in_use() == InUse("smollm2-135m")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model": 3}', '{"model": "a", "before": [3]}'])
def test_a_damaged_in_use_file_is_said(punie_home: Path, content: str) -> None:
    path = punie_home / "data" / "in_use.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(UsageError) as caught:
        store.in_use()
    assert caught.value.hint == f"remove {path}"


def test_remove_frees_the_folder_and_only_that(models: Path) -> None:
    size = sum(path.stat().st_size for path in (models / "Tiny-4bit").iterdir())
    removed = store.remove("owner/Tiny-4bit")
    assert vars(removed) == {"name": "Tiny-4bit", "size": size, "freed": size}
    assert sorted(path.name for path in models.iterdir() if path.is_dir()) == [
        ".Other.x.part",
        "smollm2-135m",
    ]


def test_remove_says_what_other_links_keep(models: Path, tmp_path: Path) -> None:
    weights = models / "Tiny-4bit" / "model.safetensors"
    (tmp_path / "blob").hardlink_to(weights)
    kept = weights.stat().st_size
    removed = store.remove("Tiny-4bit")
    assert removed.size - removed.freed == kept
    assert (tmp_path / "blob").stat().st_size == kept


def test_the_model_in_use_needs_force(models: Path) -> None:
    store.use("Tiny-4bit")
    with pytest.raises(UsageError) as caught:
        store.remove("Tiny-4bit")
    assert caught.value.hint == "punie models remove Tiny-4bit --force"
    store.remove("Tiny-4bit", force=True)
    assert store.in_use() == InUse("smollm2-135m")


@pytest.mark.parametrize("name", ["..", ".", "./mine", "/", "~", "../models/Tiny-4bit"])
def test_remove_never_leaves_the_store(models: Path, name: str) -> None:
    with pytest.raises(UsageError):
        store.remove(name, force=True)
    assert (models / "Tiny-4bit").is_dir()


def test_a_linked_folder_is_only_unlinked(models: Path, tmp_path: Path) -> None:
    outside = make_tiny_model(tmp_path / "outside")
    (models / "linked").symlink_to(outside)
    store.remove("linked")
    assert not (models / "linked").is_symlink()
    assert (outside / "model.safetensors").is_file()


@pytest.mark.parametrize(
    ("memory_gb", "on", "first", "count"),
    [
        (0.1, "metal", "embedded", 1),
        (5.3, "metal", "mlx-community/Qwen3-4B-Instruct-2507-4bit", 4),
        (11, "metal", "mlx-community/Qwen2.5-Coder-7B-Instruct-4bit", 5),
        (17, "cuda", "mlx-community/Qwen2.5-Coder-14B-Instruct-4bit", 6),
        (22, "metal", "mlx-community/Qwen3-Coder-30B-A3B-Instruct-4bit", 7),
        (48, "metal", "mlx-community/Qwen3-Coder-30B-A3B-Instruct-8bit", 8),
        (22, "cpu", "mlx-community/Qwen3-4B-Instruct-2507-4bit", 4),
    ],
)
def test_the_catalogue_offers_what_fits(memory_gb: float, on: str, first: str, count: int) -> None:
    offered = suits(memory_gb, on)
    assert (offered[0].name, len(offered)) == (first, count)
    assert offered == [entry for entry in CATALOGUE if entry in offered]


def test_memory_is_that_of_this_machine() -> None:
    found = memory()
    assert 0 < found.usable_gb <= found.total_gb
