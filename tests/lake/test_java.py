"""Java 17 and newer are accepted; errors name the Java in use and the package to install."""

import stat

import pytest

from pipelines.lake.java import check_java
from pipelines.settings import settings
from serving.errors import NightshelfError

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def java(tmp_path, monkeypatch):
    """A function that puts a `java` reporting the given version into JAVA_HOME."""

    def install(version):
        script = tmp_path / "bin" / "java"
        script.parent.mkdir()
        script.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("JAVA_HOME", str(tmp_path))

    return install


@pytest.mark.parametrize("version", ["17.0.15", "21", "25.0.1"])
def test_accepts_java_17_and_newer(java, version):
    java(version)
    check_java()


@pytest.mark.parametrize(("version", "name"), [("11.0.27", "Java 11"), ("1.8.0_452", "Java 8")])
def test_an_older_java_is_an_error_naming_its_version(java, version, name):
    java(version)
    with pytest.raises(NightshelfError, match=f"Java 17 or newer.* is {name}: .*default-jre-headless"):
        check_java()


def test_a_java_home_without_java_is_an_error_naming_it(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(NightshelfError, match="there is no Java in JAVA_HOME"):
        check_java()


def test_without_java_on_the_path_the_error_names_the_package(tmp_path, monkeypatch):
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NightshelfError, match=r"there is no Java on the PATH: .*default-jre-headless"):
        check_java()


def test_spark_connect_needs_no_java(tmp_path, monkeypatch):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("NIGHTSHELF_SPARK_MASTER", "sc://spark.example:15002")
    settings.cache_clear()
    check_java()
