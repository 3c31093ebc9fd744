"""A registry that answers anything at all changes nothing of what is served."""

import json
import random
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import bundles
import pytest
from homes import SOAK
from mutated_bundles import break_bytes, break_json

from serving.bundle.format import Bundle
from serving.live import registry
from serving.live.approval import APPROVAL
from serving.live.follow import Follower
from serving.live.served import ServingState
from serving.settings import ServingSettings

COUNT = 10_000 if SOAK else 100
SECONDS = 1  # of processor time that a check of the registry may take
TAGS = [
    {"key": "verdict", "value": "PROMOTED"},
    {"key": "reasons", "value": "[]"},
    {"key": APPROVAL, "value": "0" * 64},
]
VERSION = {
    "name": "nightshelf", "version": "9", "creation_timestamp": 1_790_000_000_000,
    "last_updated_timestamp": 1_790_000_000_000, "current_stage": "None", "description": "",
    "source": "mlflow-artifacts:/1/models/m-1/artifacts", "run_id": "0" * 32, "status": "READY",
    "status_message": "", "tags": TAGS, "run_link": "", "aliases": ["champion"],
}  # fmt: skip
LOCATIONS = (
    "mlflow-artifacts:/1",
    "file:///",
    "file:///etc",
    "/",
    "..",
    "s3://b/k",
    "http://127.0.0.1:9/",
    "ftp://x",
    "",
)
STATUSES = (200, 200, 200, 204, 301, 400, 403, 404, 500)


class Registry:
    """An HTTP server that answers like MLflow's, with answers drawn for each case."""

    def __init__(self) -> None:
        self.rng = random.Random(0)
        self.requests = 0
        handler = type("Handler", (_Handler,), {"registry": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def answer(self, path: str) -> tuple[int, bytes]:
        """Returns status and body of an answer: as MLflow would give it, broken in most cases."""
        self.requests += 1
        proper = json.dumps(self._proper(path))
        way = self.rng.random()
        if way < 0.2:
            return 200, proper.encode()
        broken = break_json(self.rng, proper) if way < 0.85 else break_bytes(self.rng, proper.encode())
        return self.rng.choice(STATUSES), broken

    def _proper(self, path: str) -> Any:
        if "registered-models/alias" in path or "model-versions/get?" in path:
            return {"model_version": VERSION | {"source": self.rng.choice((VERSION["source"], *LOCATIONS))}}
        if "get-download-uri" in path:
            return {"artifact_uri": self.rng.choice(LOCATIONS)}
        if "artifacts" in path:
            names = ("manifest.json", "../manifest.json", "/etc/hosts", "a" * 300, "bundle", "..")
            return {
                "files": [{"path": self.rng.choice(names), "is_dir": self.rng.random() < 0.5, "file_size": 9}]
            }
        return {"files": {}, "format": 2}


class _Handler(BaseHTTPRequestHandler):
    registry: Registry

    def do_GET(self) -> None:
        status, body = self.registry.answer(self.path)
        self.send_response(status)
        if status == 301:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(0 if status == 204 else len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Logs nothing."""


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    for name, value in (registry.ENVIRONMENT | {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    server = Registry()
    thread = threading.Thread(target=server.server.serve_forever)
    thread.start()
    yield server
    server.server.shutdown()
    server.server.server_close()
    thread.join()


def test_whatever_a_registry_answers_the_service_serves_what_it_served(
    seed: int, hostile: Registry, settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    first = bundles.publish(uri, bundle, tmp_path)
    follower = Follower(settings, ServingState())
    follower.poll()
    served = follower.state.served
    assert served is not None
    files = sorted(path for path in follower.folder.rglob("*"))
    follower.settings = settings.model_copy(update={"mlflow_uri": hostile.url})
    for number in range(COUNT):
        print(f"case {number}")
        hostile.rng = random.Random(f"{seed}-{number}")
        started = time.process_time()
        follower.poll()
        assert time.process_time() - started < SECONDS
        assert follower.state.served is served
        assert follower.state.reason
        assert "Traceback" not in follower.state.reason
    assert hostile.requests > COUNT
    assert "Traceback" not in caplog.text
    assert sorted(path for path in follower.folder.rglob("*")) == files
    follower.settings = settings
    second = bundles.publish(uri, bundle, tmp_path)
    follower.poll()
    assert (first, follower.state.served.version) == ("1", second)
