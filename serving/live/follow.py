"""Follows the registry's champion without a restart: loads the new bundle beside the old one, then swaps."""

import contextlib
import fcntl
import gc
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.bundle import atomic
from serving.bundle.files import load
from serving.bundle.format import Bundle
from serving.errors import BundleError, NightshelfError
from serving.live import registry
from serving.live.changes import with_arrays
from serving.live.merchandising import Merchandising
from serving.live.poller import Poller
from serving.live.served import Served, ServingState
from serving.observe import metrics
from serving.recommend.lanes import LANES
from serving.recommend.recommender import recommend
from serving.recommend.related import similar
from serving.settings import ServingSettings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

BUNDLES_KEPT = 3  # on disk: the served bundle and earlier ones for a rollback
GC_THRESHOLDS = (2_000, 20, 100)  # many collections of about 1 ms instead of few of about 30 ms

log = logging.getLogger(__name__)


class Follower:
    """Keeps the serving state at the registry's champion.

    Bundles are in HOME/.nightshelf/bundles, one folder per bundle. The file `served` there names the bundle
    served last, which the service loads after a restart without a registry. Several processes may share the
    folder.
    """

    def __init__(self, settings: ServingSettings, state: ServingState) -> None:
        self.settings = settings
        self.state = state
        self.folder = settings.state / "bundles"
        self.merchandising = Merchandising(Path(settings.shop_rules) if settings.shop_rules else None)
        self._name = ""
        self._refused: dict[str, str] = {}  # the reason, by name of the bundle
        self._logged_reason = ""
        self._poller = Poller("follower", settings.follow_seconds, self.poll)

    def start(self) -> None:
        """Starts to poll the registry in the background, every `follow_seconds`."""
        for name, value in registry.ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._poller.start()

    def stop(self) -> None:
        """Stops polling; a call that hangs at the registry is abandoned after a second."""
        self._poller.stop()

    def poll(self) -> None:
        """Checks the registry once and serves a new champion.

        On any failure the served bundle stays; the reason is stored in the serving state and logged once.
        """
        try:
            self._follow()
            self._report("")
        except NightshelfError as error:
            self._report(str(error))
        except Exception as error:  # any failure must leave the served bundle and the next poll alone
            self._report(f"following the registry failed ({type(error).__name__})")
        if self.state.served is None:
            self._resume()

    def _follow(self) -> None:
        champion = registry.champion(self.settings)
        # A recreated registry numbers versions from 1 again, so the version alone doesn't identify a bundle.
        name = f"{champion.version}-{champion.creation_timestamp}"
        if name in self._refused:
            raise BundleError(self._refused[name])
        if name != self._name:
            with _locked(self.folder):
                self._switch_to(champion, name)

    def _switch_to(self, champion: "ModelVersion", name: str) -> None:
        folder = self.folder / name
        try:
            self._serve(name, self._obtain(champion, folder), registry.verdict(champion))
        except BundleError as error:
            shutil.rmtree(folder, ignore_errors=True)
            self._refused[name] = f"version {champion.version} is refused: {error}"
            raise BundleError(self._refused[name]) from None
        self._remember()

    def _obtain(self, champion: "ModelVersion", folder: Path) -> Bundle:
        """Loads the champion's bundle from a folder; downloads it first if the folder has no usable one."""
        with contextlib.suppress(BundleError):
            return load(folder)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".") as temporary:
            bundle = registry.download(champion, Path(temporary))
            shutil.rmtree(folder, ignore_errors=True)
            if bundle.exists():
                bundle.rename(folder)
        return load(folder)

    def _serve(self, name: str, bundle: Bundle, verdict: dict[str, Any]) -> None:
        _warm_up(bundle)
        gc.collect()
        gc.freeze()  # else every full collection would traverse the objects that stay alive
        gc.set_threshold(*GC_THRESHOLDS)
        before, version, cap = self.state.served, name.partition("-")[0], self.settings.per_category or None
        self.state.served = Served(version, bundle, verdict, cap, merchandising=self.merchandising)
        metrics.set_live_version(version, before.version if before else None)
        self._name = name
        log.info("version %s is live", version)

    def _remember(self) -> None:
        """Records the served bundle for the next start, and deletes all but the bundles used last."""
        verdict = self.state.served.verdict if self.state.served else {}
        record = json.dumps({"name": self._name, "verdict": verdict})
        atomic.write_text(self.folder / "served", record)
        os.utime(self.folder / self._name)
        folders = [folder for folder in self.folder.iterdir() if folder.is_dir()]
        for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime)[:-BUNDLES_KEPT]:
            shutil.rmtree(folder)

    def _resume(self) -> None:
        """Serves the bundle served last, if its copy on disk is usable."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, BundleError):
            record = json.loads((self.folder / "served").read_text())
            self._serve(record["name"], load(self.folder / record["name"]), record["verdict"])

    def _report(self, reason: str) -> None:
        self.state.reason = reason
        if reason and reason != self._logged_reason:
            served = self.state.served
            log.warning("%s%s", reason, f"; version {served.version} stays live" if served else "")
        self._logged_reason = reason


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lets one process at a time change a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _warm_up(bundle: Bundle) -> None:
    """Answers one request of every kind; raises BundleError if one fails."""
    known = 0 if len(bundle.customers) else None
    try:
        bundle.precompute()
        for lane in LANES:
            for customer in (known, None):
                recommend(bundle, customer, lane, n=10)
        similar(bundle, product=0, n=10)
        with_arrays(bundle)  # derives what all copies share before the bundle goes live
    except Exception as error:
        raise BundleError(
            f"it can't answer a test request ({type(error).__name__}): promote another version"
        ) from None
