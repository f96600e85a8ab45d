"""Pulls from a small server that answers as the hub does; each client is a process of its own."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from tiny import make_tiny_model

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class Hub:
    """One repository, owner/tiny; owner/gated and owner/broken refuse. `log` has what was asked for."""

    files: dict[str, bytes]
    log: list[str] = field(default_factory=list)
    url: str = ""

    def fetched(self) -> list[str]:
        return sorted(line.rsplit("/", 1)[1] for line in self.log if line.startswith("GET /owner/tiny/resolve/"))


def make_handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            path = urlparse(self.path).path
            hub.log.append(f"{self.command} {path}")
            parts = path.strip("/").split("/")
            if "gated" in parts:
                self.send(403, b"", body, {"X-Error-Code": "GatedRepo"})
            elif "broken" in parts:
                self.send(500, b"", body, {})
            elif path.startswith("/api/models/owner/tiny/revision/gone"):
                self.send(404, b"", body, {"X-Error-Code": "RevisionNotFound"})
            elif path.startswith("/api/models/owner/tiny/revision/"):
                self.json({"id": "owner/tiny", "sha": COMMIT, "siblings": []}, body)
            elif path.startswith("/api/models/owner/tiny/tree/"):
                self.json([self.entry(name) for name in hub.files], body)
            elif parts[:3] == ["owner", "tiny", "resolve"] and parts[-1] in hub.files:
                content = hub.files[parts[-1]]
                headers = {"X-Repo-Commit": COMMIT, "ETag": f'"{hashlib.sha256(content).hexdigest()}"'}
                self.send(200, content, body, headers)
            else:
                self.send(404, b"", body, {"X-Error-Code": "RepoNotFound"})

        def entry(self, name: str) -> dict[str, Any]:
            content = hub.files[name]
            oid = hashlib.sha256(content).hexdigest()
            return {"type": "file", "path": name, "size": len(content), "oid": oid[:40]}

        def json(self, value: Any, body: bool) -> None:
            self.send(200, json.dumps(value).encode(), body, {"Content-Type": "application/json"})

        def send(self, status: int, content: bytes, body: bool, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

    return Handler


@pytest.fixture
def hub(tmp_path: Path) -> Generator[Hub]:
    source = make_tiny_model(tmp_path / "source")
    files = {path.name: path.read_bytes() for path in source.iterdir()}
    files |= {
        "README.md": b"---\nlicense: mit\n---\n",
        "evil.py": b"raise SystemExit",
        "notes.bin": b"x" * 1000,
    }
    hub = Hub(files)
    server = ThreadingHTTPServer(("127.0.0.1", 0), make_handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(hub: Hub, tmp_path: Path, punie_home: Path) -> Any:
    """Runs `code` where `out(value)` gives the result; an error of ours gives [kind, message, hint]."""

    def run(code: str, **variables: str) -> Any:
        script = f"""
import json
from punie_cli.errors import PunieError
from punie_cli.models import hub, store
out = lambda value: print(json.dumps(value, default=str))
try:
    {code}
except PunieError as error:
    out([type(error).__name__, error.message, error.hint])
"""
        settings = {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_OFFLINE": "0",
            **variables,
        }
        done = subprocess.run([sys.executable, "-c", script], env=os.environ | settings, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    return run


WANTED = ["README.md", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


def test_the_cost_is_told_before_anything_is_fetched(hub: Hub, client: Any) -> None:
    shown = client("found = hub.preview('owner/tiny'); out({**vars(found), 'download': found.download})")
    size = sum(len(hub.files[name]) for name in WANTED)
    assert shown.pop("free") > 0
    assert shown == {
        "repo": "owner/tiny",
        "revision": COMMIT,
        "files": 5,
        "size": size,
        "cached": 0,
        "download": size,
    }
    assert hub.fetched() == []


def test_a_pull_puts_the_model_in_the_store(hub: Hub, client: Any, punie_home: Path) -> None:
    seen = client("seen = []; store.pull('owner/tiny', progress=seen.append); out([vars(step) for step in seen])")
    folder = punie_home / "data" / "models" / "tiny"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert json.loads(files.pop("punie.json")) == {
        "source": "hub",
        "origin": "owner/tiny",
        "revision": COMMIT,
    }
    assert files == {name: hub.files[name] for name in WANTED}
    assert hub.fetched() == sorted(WANTED)
    assert seen[0] == {"text": "asking the hub about owner/tiny", "done": 0, "total": 0}
    assert seen[-1] == {"text": "checking", "done": 0, "total": 0}
    steps = [step for step in seen if step["text"] == "downloading owner/tiny"]
    amounts = [step["done"] for step in steps]
    assert amounts == sorted(amounts)
    assert steps[-1]["done"] == steps[-1]["total"] == sum(len(hub.files[name]) for name in WANTED)
    shown = client("card = store.show('owner/tiny'); out([card.name, card.source, card.origin, card.licence])")
    assert shown == ["tiny", "hub", "owner/tiny", "mit"]


def test_a_second_pull_asks_nothing(hub: Hub, client: Any) -> None:
    client("out(hub.pull('owner/tiny'))")
    asked = len(hub.log)
    client("out(hub.pull('owner/tiny'))")
    assert len(hub.log) == asked


def test_what_the_cache_holds_is_not_fetched_again(hub: Hub, client: Any) -> None:
    client("out(hub.pull('owner/tiny'))")
    assert client("store.remove('tiny'); out(hub.preview('owner/tiny').download)") == 0
    hub.log.clear()
    client("out(hub.pull('owner/tiny'))")
    assert hub.fetched() == []


def test_force_mends_a_damaged_model(hub: Hub, client: Any, punie_home: Path) -> None:
    client("out(hub.pull('owner/tiny'))")
    weights = punie_home / "data" / "models" / "tiny" / "model.safetensors"
    weights.write_bytes(b"")
    kind, _, hint = client("store.use('tiny')")
    assert (kind, hint) == ("MissingError", "punie models pull tiny --force")
    hub.log.clear()
    client("out(store.pull('tiny', force=True))")
    assert weights.read_bytes() == hub.files["model.safetensors"]
    assert hub.fetched() == sorted(WANTED)


def test_a_download_that_fails_leaves_nothing_in_the_store(hub: Hub, client: Any, punie_home: Path) -> None:
    hub.files["model.safetensors"] = hub.files["model.safetensors"][:-10]
    kind, message, _ = client("out(hub.pull('owner/tiny'))")
    assert (kind, message.rsplit("/", 1)[1]) == (
        "MissingError",
        "model.safetensors is truncated: 0.20 of 0.20 MB",
    )
    assert [path.name for path in (punie_home / "data" / "models").iterdir()] == [".tiny.lock"]


def test_two_owners_do_not_share_a_name(hub: Hub, client: Any) -> None:
    client("out(hub.pull('owner/tiny'))")
    assert client("out(hub.pull('other/tiny'))") == [
        "UsageError",
        "the store has another tiny, from owner/tiny",
        "punie models remove tiny",
    ]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (
            "hub.pull('owner/SmolLM2-135M')",
            [
                "UsageError",
                "owner/SmolLM2-135M would take the name of the embedded model",
                "punie models pull embedded",
            ],
        ),
        (
            "hub.preview('owner/none')",
            [
                "MissingError",
                "the hub has no model owner/none that you may read",
                "check the name; for a private one `hf auth login`",
            ],
        ),
        (
            "hub.pull('owner/gated')",
            [
                "MissingError",
                "owner/gated is gated: its owner wants to know who downloads it",
                "accept its terms on {url}/owner/gated, then `hf auth login`",
            ],
        ),
        (
            "hub.preview('owner/tiny', revision='gone')",
            ["MissingError", "owner/tiny has no revision gone", "punie models pull owner/tiny"],
        ),
        (
            "hub.preview('owner/broken')",
            ["MissingError", "the hub answered 500 for owner/broken", "try again later"],
        ),
        (
            "store.pull('no repo')",
            [
                "UsageError",
                "'no repo' is not a model of the hub; those are named OWNER/NAME",
                "punie models list --catalogue",
            ],
        ),
    ],
)
def test_a_refusal_of_the_hub_is_explained(code: str, error: list[str], hub: Hub, client: Any) -> None:
    assert client(code) == [part.format(url=hub.url) for part in error]


def test_offline_says_so(hub: Hub, client: Any) -> None:
    assert client("hub.preview('owner/tiny')", HF_HUB_OFFLINE="1") == [
        "MissingError",
        "owner/tiny cannot be pulled offline",
        "leave out --offline and unset HF_HUB_OFFLINE",
    ]
    assert hub.log == []


def test_no_network_says_so(client: Any) -> None:
    # Nothing listens on the discard port.
    assert client("hub.pull('owner/tiny')", HF_ENDPOINT="http://127.0.0.1:9") == [
        "MissingError",
        "http://127.0.0.1:9 cannot be reached (ConnectError)",
        "check the network; `punie models pull embedded` needs only pip's index",
    ]


def test_a_repository_without_weights_is_refused(hub: Hub, client: Any) -> None:
    del hub.files["model.safetensors"]
    assert client("hub.pull('owner/tiny')") == [
        "MissingError",
        "owner/tiny has no model*.safetensors",
        "punie models list --catalogue",
    ]
