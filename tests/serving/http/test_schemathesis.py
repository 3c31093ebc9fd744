"""Schemathesis runs the OpenAPI document against a real service: no 5xx, no undocumented response."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import bundles
import pytest
from processes import BIN, service, wait_for

from serving.access import keys
from serving.bundle.format import Bundle
from serving.http.routes import ROUTES
from serving.settings import ServingSettings

PROGRAM = shutil.which("schemathesis", path=os.pathsep.join([str(BIN), os.environ["PATH"]]))
HOOKS = Path(__file__).with_name("fuzzing.py")
EXAMPLES = os.environ.get("NIGHTSHELF_TEST_EXAMPLES", "10")


@pytest.mark.skipif(PROGRAM is None, reason="schemathesis is not installed")
def test_every_response_is_documented(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path, seed: int
) -> None:
    bundles.publish(uri, with_all_windows(bundle), tmp_path)
    secret = keys.add(settings.keys_path, "fuzzer", "admin")
    (tmp_path / "schemathesis.toml").write_text(f'hooks = "{HOOKS}"')
    with service(settings.home) as up:
        wait_for(f"{up.url}/readyz", 200, up.process)
        options = ["--seed", seed, "--max-examples", EXAMPLES, "--header", f"Authorization: Bearer {secret}"]
        limits = ["--request-timeout", 5, "--no-color"]
        command = [PROGRAM, "run", f"{up.url}/v1/openapi.json", *options, *limits]
        result = subprocess.run(
            [str(part) for part in command], check=False, cwd=tmp_path, capture_output=True, text=True
        )
        print(result.stdout[-20_000:], result.stderr[-5_000:])
        assert result.returncode == 0
        assert f"Tested: {len(ROUTES)}" in result.stdout
        assert "Traceback" not in up.log.read_text()
        assert "failed: " not in up.log.read_text()


def with_all_windows(bundle: Bundle) -> Bundle:
    """Returns the bundle with all periods (`days`) that the document lists."""
    manifest = bundle.manifest | {"recent_days": [7, 28, 90]}
    return replace(bundle, recent=bundle.recent[[0, 1, 1]], manifest=manifest)
