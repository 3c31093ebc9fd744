"""The registry as the service sees it: which version is the champion, and its bundle."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.bundle.format import Bundle, load
from serving.errors import RegistryError
from serving.settings import ServingSettings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

ALIAS = "champion"
BUNDLE = Path("artifacts", "bundle")  # where a version of the registered model holds it

ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # the latter for an unknown alias

# The follower asks again in a moment: MLflow's own patience, of minutes, would only hide an outage.
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def champion(settings: ServingSettings) -> "ModelVersion":
    """The version that the alias names; raises RegistryError where there is none or no answer."""
    uri = settings.tracking_uri
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        raise RegistryError("there is no registry yet: run `nightshelf retrain`")  # MLflow would make one
    with _reaching(f"version of {settings.model_name} with the alias {ALIAS}"):
        import mlflow

        mlflow.set_tracking_uri(uri)  # a client's own address would not reach its downloads
        return mlflow.MlflowClient().get_model_version_by_alias(settings.model_name, ALIAS)


def verdict(version: "ModelVersion") -> dict[str, Any]:
    """What the gate said of a version, and why; nothing where no gate judged it."""
    tags = version.tags
    if "verdict" not in tags:
        return {}
    return {"verdict": tags["verdict"], "reasons": json.loads(tags.get("reasons", "[]"))}


def download(version: "ModelVersion", to: Path) -> Path:
    """The folder of a champion's bundle, downloaded below `to`; raises RegistryError where that fails."""
    with _reaching(f"bundle of version {version.version}"):
        from mlflow.artifacts import download_artifacts

        uri = f"models:/{version.name}/{version.version}"
        return Path(download_artifacts(artifact_uri=uri, dst_path=str(to))) / BUNDLE


def opened(settings: ServingSettings) -> tuple[str, Bundle]:
    """The champion's version and its bundle, of which nothing stays on disk; raises as the two above."""
    found = champion(settings)
    return str(found.version), opened_version(found)


def opened_version(version: "ModelVersion") -> Bundle:
    """The bundle of a version, of which nothing stays on disk; raises as `download` and `load` do."""
    with tempfile.TemporaryDirectory() as folder:
        return load(download(version, Path(folder)))  # mapped files live on until unmapped


@contextlib.contextmanager
def _reaching(what: str) -> Iterator[None]:
    """Turns whatever MLflow and its transport raise into one RegistryError."""
    try:
        yield
    except Exception as error:
        if getattr(error, "error_code", "") in ABSENT:
            raise RegistryError(f"the registry has no {what}: run `nightshelf retrain`") from None
        # MLflow's own text may quote the address, and a password in it.
        kind = type(error).__name__
        raise RegistryError(
            f"the registry didn't give the {what} ({kind}): check NIGHTSHELF_MLFLOW_URI"
        ) from None
