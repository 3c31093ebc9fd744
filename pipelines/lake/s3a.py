"""Spark's access to a lake in a bucket, through Hadoop's S3A, which pyspark doesn't include."""

import os
from pathlib import Path

import pyspark

from pipelines.settings import settings

HADOOP = "3.5.0"  # the version of pyspark's own jars
SDK = "2.35.4"  # the version that this Hadoop's S3A was built with
PACKAGES = (
    f"org.apache.hadoop:hadoop-aws:{HADOOP}",
    *(f"software.amazon.awssdk:{part}:{SDK}" for part in ("s3", "s3-transfer-manager", "sts")),
)
EXCLUDED = (
    "software.amazon.awssdk:bundle",  # 686 MB, the whole SDK; the parts above have 14 MB
    "software.amazon.awssdk.crt:*",  # S3A doesn't use it
    # Spark has these itself, in later versions.
    *("commons-codec:*", "commons-logging:*", "io.netty:*", "org.apache.httpcomponents:*", "org.slf4j:*"),
)


def options() -> dict[str, str]:
    """Returns the Spark options for a lake in a bucket; empty if the lake is elsewhere.

    Spark downloads the jars once from Maven's repository and verifies their checksums, unless pyspark's
    folder of jars already contains S3A. Spark takes the credentials from the AWS_* variables.
    """
    if not settings().lake_url.startswith(("s3://", "s3a://")):
        return {}
    chosen = {"spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem"} | _endpoint()
    if not any(Path(pyspark.__file__).parent.glob("jars/hadoop-aws-*.jar")):
        chosen |= {"spark.jars.packages": ",".join(PACKAGES), "spark.jars.excludes": ",".join(EXCLUDED)}
    return chosen


def _endpoint() -> dict[str, str]:
    """Endpoint and region from Amazon's own variables; with an endpoint, buckets are part of the path."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    style = {"endpoint": endpoint, "path.style.access": "true"} if endpoint else {}
    chosen = style | ({"endpoint.region": region} if region else {})
    return {f"spark.hadoop.fs.s3a.{name}": value for name, value in chosen.items()}
