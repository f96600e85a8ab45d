"""Pulls models from the Hugging Face hub: what it will cost first, then the download, then the store.

Files go through the hub's own cache, so that an interrupted download goes on where it stopped; the store gets
hard links to them, which cost no disk and survive when that cache is cleared.
"""

import io
import re
import shutil
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from punie_cli.errors import MissingError, PunieError, UsageError
from punie_cli.models import embedded
from punie_cli.models.building import (
    Progress,
    PullStep,
    building,
    locked,
    require_disk,
    store_folder,
    write_json,
)
from punie_cli.models.files import check_complete, read_record

# No Python files: punie never runs code that comes with a model.
_PATTERNS = ["*.json", "model*.safetensors", "tokenizer.model", "*.tiktoken", "*.txt", "*.jinja"]
_PATTERNS += ["README.md", "LICENSE*"]
_REPO = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# Small files are copied: an edit in the store must not change the hub's cache.
_COPY_BELOW = 10_000_000


@dataclass(frozen=True)
class Preview:
    """Cost of a pull in bytes; `free` is the disk space where the download goes."""

    repo: str
    revision: str
    files: int
    size: int
    cached: int
    free: int

    @property
    def download(self) -> int:
        """Bytes that are still to be fetched."""
        return self.size - self.cached


def preview(repo: str, *, revision: str | None = None) -> Preview:
    """What a pull would fetch: asks the hub for sizes, downloads nothing. MissingError says why it cannot."""
    from huggingface_hub import constants

    found = _snapshot(repo, revision, dry_run=True, tqdm_class=_bar(lambda step: None, "", 0))
    size = sum(file.file_size or 0 for file in found)
    if not any(file.filename.endswith(".safetensors") for file in found):
        raise MissingError(f"{repo} has no model*.safetensors", "punie models list --catalogue")
    cached = sum(file.file_size or 0 for file in found if file.is_cached)
    place = Path(constants.HF_HUB_CACHE)
    while not place.exists():
        place = place.parent
    return Preview(repo, found[0].commit_hash, len(found), size, cached, shutil.disk_usage(place).free)


def pull(
    repo: str,
    *,
    force: bool = False,
    revision: str | None = None,
    progress: Progress = lambda step: None,
) -> Path:
    """Download a repository into the store and return its folder; nothing to do when it is there.

    `force` fetches every byte anew. MissingError for what the hub refuses or the network does not reach.
    """
    _check_name(repo)
    target = store_folder() / repo.rsplit("/", 1)[1]
    if target.name.lower() in (embedded.NAME, "embedded"):
        raise UsageError(f"{repo} would take the name of the embedded model", "punie models pull embedded")
    with locked(target):
        if target.is_dir() and not force:
            _check_origin(target, repo)
            return target
        progress(PullStep(f"asking the hub about {repo}"))
        cost = preview(repo, revision=revision)
        from huggingface_hub import constants

        missing = cost.size if force else cost.download
        require_disk(Path(constants.HF_HUB_CACHE), missing)
        bar = _bar(progress, f"downloading {repo}", cost.size)
        snapshot = Path(_snapshot(repo, cost.revision, force_download=force, tqdm_class=bar))
        progress(PullStep("checking"))
        with building(target) as part:
            _link(snapshot, part)
            record = {"source": "hub", "origin": repo, "revision": cost.revision}
            write_json(part / "punie.json", record)
            check_complete(part)
    return target


def _check_name(repo: str) -> None:
    if not _REPO.fullmatch(repo) or ".." in repo:
        message = f"'{repo}' is not a model of the hub; those are named OWNER/NAME"
        raise UsageError(message, "punie models list --catalogue")


def _check_origin(target: Path, repo: str) -> None:
    origin = read_record(target).get("origin")
    if origin != repo:
        message = f"the store has another {target.name}, from {origin or 'a local folder'}"
        raise UsageError(message, f"punie models remove {target.name}")


def _snapshot(repo: str, revision: str | None, **options: Any) -> Any:
    _check_name(repo)
    from huggingface_hub import constants, errors, snapshot_download

    try:
        return snapshot_download(repo, revision=revision, allow_patterns=_PATTERNS, **options)
    except (errors.HfHubHTTPError, errors.DryRunError, errors.LocalEntryNotFoundError, OSError) as error:
        cause: BaseException = error
        while cause.__cause__ is not None and not isinstance(cause, errors.HfHubHTTPError):
            cause = cause.__cause__
        raise _explain(repo, revision, cause, constants.ENDPOINT) from error


def _explain(repo: str, revision: str | None, cause: BaseException, endpoint: str) -> PunieError:
    from huggingface_hub import errors

    if isinstance(cause, errors.GatedRepoError):
        hint = f"accept its terms on {endpoint}/{repo}, then `hf auth login`"
        return MissingError(f"{repo} is gated: its owner wants to know who downloads it", hint)
    if isinstance(cause, errors.RepositoryNotFoundError):
        hint = "check the name; for a private one `hf auth login`"
        return MissingError(f"the hub has no model {repo} that you may read", hint)
    if isinstance(cause, errors.RevisionNotFoundError):
        return MissingError(f"{repo} has no revision {revision}", f"punie models pull {repo}")
    if isinstance(cause, errors.OfflineModeIsEnabled):
        return MissingError(f"{repo} cannot be pulled offline", "leave out --offline and unset HF_HUB_OFFLINE")
    if isinstance(cause, errors.HfHubHTTPError):
        return MissingError(f"the hub answered {cause.response.status_code} for {repo}", "try again later")
    if isinstance(cause, OSError) and cause.errno is not None and not isinstance(cause, ConnectionError):
        return PunieError(f"{repo} cannot be stored: {cause.strerror}", "punie doctor")
    hint = "check the network; `punie models pull embedded` needs only pip's index"
    return MissingError(f"{endpoint} cannot be reached ({type(cause).__name__})", hint)


def _bar(progress: Progress, text: str, total: int) -> Any:
    """A tqdm class that prints nothing and reports the bytes of all files together."""
    from tqdm import tqdm

    lock = threading.Lock()
    most = 0

    class Silent(tqdm):
        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            self._bytes = options.get("unit") == "B"
            super().__init__(*args, **{**options, "file": io.StringIO(), "disable": False})

        def display(self, *args: Any, **options: Any) -> None:
            # Several bars count the same bytes, once as received and once as written.
            nonlocal most
            with lock:
                if self._bytes and self.n > most:
                    most = min(int(self.n), total)
                    progress(PullStep(text, most, total))

    return Silent


def _link(snapshot: Path, part: Path) -> None:
    for source in sorted(path for path in snapshot.rglob("*") if path.is_file()):
        place = part / source.relative_to(snapshot)
        place.parent.mkdir(parents=True, exist_ok=True)
        blob = source.resolve()
        if blob.stat().st_size < _COPY_BELOW:
            shutil.copyfile(blob, place)
            continue
        try:
            place.hardlink_to(blob)
        except OSError:
            # Another file system: a link by name costs nothing, but needs the hub's cache to stay.
            place.symlink_to(blob)
