"""Spark's way to a lake in a bucket: Hadoop's S3A, which pyspark comes without."""

import os
from pathlib import Path

import pyspark

from pipelines.settings import settings

HADOOP = "3.5.0"  # that of pyspark's own jars
SDK = "2.35.4"  # that which S3A of this Hadoop was built with
PACKAGES = (
    f"org.apache.hadoop:hadoop-aws:{HADOOP}",
    *(f"software.amazon.awssdk:{part}:{SDK}" for part in ("s3", "s3-transfer-manager", "sts")),
)
EXCLUDED = (
    "software.amazon.awssdk:bundle",  # 686 MB with all that Amazon offers; the parts above have 14
    "software.amazon.awssdk.crt:*",  # S3A doesn't use it
    *("commons-codec:*", "commons-logging:*", "io.netty:*", "org.apache.httpcomponents:*", "org.slf4j:*"),
)  # the last of which Spark has itself, in later versions


def options() -> dict[str, str]:
    """The options of a Spark session that reads the lake of the settings; none where it is in no bucket.

    The jars come from Maven's repository when a session starts, once, proven by its checksums; where
    pyspark's folder of jars holds S3A, none is looked for. Spark takes credentials from AWS_* variables.
    """
    if not settings().lake_url.startswith(("s3://", "s3a://")):
        return {}
    found = {"spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem"} | _address()
    if not any(Path(pyspark.__file__).parent.glob("jars/hadoop-aws-*.jar")):
        found |= {"spark.jars.packages": ",".join(PACKAGES), "spark.jars.excludes": ",".join(EXCLUDED)}
    return found


def _address() -> dict[str, str]:
    """Where the buckets are, as Amazon's own tools are told; elsewhere than there they are part of a path."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    style = {"endpoint": endpoint, "path.style.access": "true"} if endpoint else {}
    found = style | ({"endpoint.region": region} if region else {})
    return {f"spark.hadoop.fs.s3a.{name}": value for name, value in found.items()}
