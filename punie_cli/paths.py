"""Where punie keeps things. `PUNIE_HOME` replaces every folder of the platform by folders below it."""

import os
from pathlib import Path

import platformdirs


def _folder(kind: str) -> Path:
    home = os.environ.get("PUNIE_HOME")
    if home:
        return Path(home).expanduser().absolute() / kind
    return {
        "config": platformdirs.user_config_path,
        "data": platformdirs.user_data_path,
        "cache": platformdirs.user_cache_path,
        "state": platformdirs.user_state_path,
    }[kind]("punie", appauthor=False)


def config_dir() -> Path:
    """Folder of `config.toml`."""
    return _folder("config")


def data_dir() -> Path:
    """Folder of models, adapters, runs, built rows and the session store."""
    return _folder("data")


def cache_dir() -> Path:
    """Folder of prompt caches; may be deleted at any time."""
    return _folder("cache")


def state_dir() -> Path:
    """Folder of the log file and the chat history."""
    return _folder("state")


def log_file() -> Path:
    """The log that tracebacks go to."""
    return state_dir() / "punie.log"


def shipped(*parts: str) -> Path:
    """Path below the data that ships with punie: `data/` of a checkout, `punie_cli/data` of an installed wheel."""
    package = Path(__file__).resolve().parent
    installed = package / "data"
    base = installed if installed.is_dir() else package.parent / "data"
    return base.joinpath(*parts)


def shipped_adapters() -> Path:
    """Folder of the adapters inside the package, one folder per base model name."""
    return Path(__file__).resolve().parent / "adapters"
