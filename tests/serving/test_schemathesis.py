"""Schemathesis over the OpenAPI document against the real service: no 5xx, no undocumented answer."""

import os
import shutil
import subprocess
from pathlib import Path

import bundles
import pytest
from processes import BIN, service, wait_for

from serving import keys
from serving.bundle import Bundle
from serving.settings import ServingSettings

PROGRAM = shutil.which("schemathesis", path=os.pathsep.join([str(BIN), os.environ["PATH"]]))
# What may be asked of it depends on other parameters, which no schema says.
CONFIGURATION = """
[[operations]]
include-name = "GET /v1/popular"
checks.positive_data_acceptance.enabled = false
"""
EXAMPLES = os.environ.get("NIGHTSHELF_TEST_EXAMPLES", "15")


@pytest.mark.skipif(PROGRAM is None, reason="schemathesis is not installed")
def test_no_request_is_answered_other_than_documented(
    settings: ServingSettings, uri: str, bundle: Bundle, tmp_path: Path, seed: int
) -> None:
    bundles.publish(uri, bundle, tmp_path)
    secret = keys.add(settings.keys_path, "fuzzer", "admin")
    with service(settings.home) as up:
        wait_for(f"{up.url}/readyz", 200, up.process)
        asked = ["--seed", seed, "--max-examples", EXAMPLES, "--header", f"Authorization: Bearer {secret}"]
        limits = ["--request-timeout", 5, "--no-color"]
        (configuration := tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
        command = [
            PROGRAM,
            "--config-file",
            configuration,
            "run",
            f"{up.url}/v1/openapi.json",
            *asked,
            *limits,
        ]
        done = subprocess.run(
            [str(one) for one in command], check=False, cwd=tmp_path, capture_output=True, text=True
        )
        print(done.stdout[-20_000:], done.stderr[-5_000:])
        assert done.returncode == 0
        assert "Traceback" not in up.log.read_text()
        assert "failed: " not in up.log.read_text()
