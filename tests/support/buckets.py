"""A real S3 server on loopback: moto in a process of its own, or the one that the environment names."""

import contextlib
import os
import socket
import subprocess
import sys
import time
import uuid

import boto3
import pytest
import s3fs
from ports import free_port

# If set, AWS_ENDPOINT_URL and the AWS keys name a server that is running already.
IS_EXTERNAL = "NIGHTSHELF_TEST_S3" in os.environ
KEYS = {
    "AWS_ACCESS_KEY_ID": "a-key",
    "AWS_SECRET_ACCESS_KEY": "a-secret-of-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextlib.contextmanager
def bucket():
    """Yields the URL of an empty bucket; the environment points at the server until the block ends."""
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        if not IS_EXTERNAL:
            for name, value in KEYS.items():
                patch.setenv(name, value)
            patch.setenv("AWS_ENDPOINT_URL", stack.enter_context(_moto()))
        name = f"nightshelf-{uuid.uuid4().hex}"
        boto3.client("s3").create_bucket(Bucket=name)
        s3fs.S3FileSystem.clear_instance_cache()
        yield f"s3://{name}"
        s3fs.S3FileSystem.clear_instance_cache()


def keys(url):
    """Returns the keys of all objects below a URL, relative to it."""
    name, _, prefix = url.removeprefix("s3://").partition("/")
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix)
    objects = (entry for page in pages for entry in page.get("Contents", []))
    return {entry["Key"].removeprefix(prefix).lstrip("/") for entry in objects}


def uploads(url):
    """Returns the multipart uploads that are neither completed nor aborted."""
    name = url.removeprefix("s3://").partition("/")[0]
    return boto3.client("s3").list_multipart_uploads(Bucket=name).get("Uploads", [])


@contextlib.contextmanager
def _moto():
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while not _answers(port):
                assert server.poll() is None
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def _answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False
