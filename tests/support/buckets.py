"""A real server of buckets on loopback: moto's in a process of its own, or one that the environment names."""

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

# Set to anything, AWS_ENDPOINT_URL and keys name a server that runs already.
OTHER = "NIGHTSHELF_TEST_S3" in os.environ
KEYS = {
    "AWS_ACCESS_KEY_ID": "a-key",
    "AWS_SECRET_ACCESS_KEY": "a-secret-of-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextlib.contextmanager
def bucket():
    """The URL of an empty bucket until the block ends; the environment says how to reach it."""
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        if not OTHER:
            for name, value in KEYS.items():
                patch.setenv(name, value)
            patch.setenv("AWS_ENDPOINT_URL", stack.enter_context(_moto()))
        name = f"nightshelf-{uuid.uuid4().hex}"
        boto3.client("s3").create_bucket(Bucket=name)
        s3fs.S3FileSystem.clear_instance_cache()
        yield f"s3://{name}"
        s3fs.S3FileSystem.clear_instance_cache()


def keys(url):
    """The names of all objects below a URL."""
    name, _, prefix = url.removeprefix("s3://").partition("/")
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix)
    return {one["Key"].removeprefix(prefix).lstrip("/") for page in pages for one in page.get("Contents", [])}


def uploads(url):
    """The uploads that were begun and neither completed nor given up."""
    name = url.removeprefix("s3://").partition("/")[0]
    return boto3.client("s3").list_multipart_uploads(Bucket=name).get("Uploads", [])


@contextlib.contextmanager
def _moto():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
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
