"""Follows the champion of the registry without a restart: loads beside the old one, then swaps."""

import contextlib
import fcntl
import gc
import json
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.bundle.format import Bundle, load
from serving.errors import BundleError, NightshelfError
from serving.live import registry
from serving.live.changes import view
from serving.live.merchandising import Shop
from serving.live.served import Live, Served
from serving.observe import metrics
from serving.recommend.recommender import LANES, recommend
from serving.recommend.related import similar
from serving.settings import ServingSettings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

KEPT = 3  # bundles on disk: the one that serves and those that a rollback goes back to
GC_THRESHOLDS = (2_000, 20, 100)  # often, and each time in a millisecond, not seldom and in thirty

log = logging.getLogger(__name__)


class Follower:
    """Keeps `live` at the champion of the registry.

    Bundles lie in STATE/bundles, one folder for each; the file `served` beside them names the last one
    served, with which a start without a registry goes on. Several processes may follow into one folder.
    """

    def __init__(self, settings: ServingSettings, live: Live) -> None:
        self.settings = settings
        self.live = live
        self.folder = settings.state / "bundles"
        self.shop = Shop(Path(settings.shop_rules) if settings.shop_rules else None)
        self._name = ""
        self._refused: dict[str, str] = {}  # why, by the name of a bundle
        self._said = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Looks in the background from now on, every `follow_seconds`."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the looking; a look that hangs at the registry is abandoned after a second."""
        self._stopping.set()
        self._thread.join(timeout=1)

    def look(self) -> None:
        """Looks once: `live` has the champion, or what it had before, and the log says once why."""
        try:
            self._follow()
            self._say("")
        except NightshelfError as error:
            self._say(str(error))
        except Exception as error:  # whatever it is, what serves goes on serving and the next look is due
            self._say(f"following the registry failed ({type(error).__name__})")
        if self.live.served is None:
            self._resume()

    def _run(self) -> None:
        for name, value in registry.ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        while not self._stopping.is_set():
            self.look()
            self._stopping.wait(self.settings.follow_seconds)

    def _follow(self) -> None:
        champion = registry.champion(self.settings)
        # A registry that was made anew counts from 1 again, so the version alone names no bundle.
        name = f"{champion.version}-{champion.creation_timestamp}"
        if name in self._refused:
            raise BundleError(self._refused[name])
        if name != self._name:
            with _locked(self.folder):
                self._take(champion, name)

    def _take(self, champion: "ModelVersion", name: str) -> None:
        folder = self.folder / name
        try:
            self._serve(name, self._obtain(champion, folder), registry.verdict(champion))
        except BundleError as error:
            shutil.rmtree(folder, ignore_errors=True)
            self._refused[name] = f"version {champion.version} is refused: {error}"
            raise BundleError(self._refused[name]) from None
        self._remember()

    def _obtain(self, champion: "ModelVersion", folder: Path) -> Bundle:
        with contextlib.suppress(BundleError):
            return load(folder)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".") as beside:
            bundle = registry.download(champion, Path(beside))
            shutil.rmtree(folder, ignore_errors=True)
            if bundle.exists():
                bundle.rename(folder)
        return load(folder)

    def _serve(self, name: str, bundle: Bundle, verdict: dict[str, Any]) -> None:
        _warm(bundle)
        gc.collect()
        gc.freeze()  # or every full collection would walk through all that now stays
        gc.set_threshold(*GC_THRESHOLDS)
        most, before = self.settings.per_category or None, self.live.served
        self.live.served = Served(name.partition("-")[0], bundle, verdict, most, shop=self.shop)
        metrics.live(self.live.served.version, before.version if before else None)
        self._name = name
        log.info("version %s is live", self.live.served.version)

    def _remember(self) -> None:
        """Names what is served for the next start, and leaves on disk only the bundles used last."""
        beside = self.folder / ".served"
        verdict = self.live.served.verdict if self.live.served else {}
        beside.write_text(json.dumps({"name": self._name, "verdict": verdict}))
        beside.replace(self.folder / "served")
        os.utime(self.folder / self._name)
        folders = [folder for folder in self.folder.iterdir() if folder.is_dir()]
        for folder in sorted(folders, key=lambda f: f.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(folder)

    def _resume(self) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, BundleError):
            told = json.loads((self.folder / "served").read_text())
            self._serve(told["name"], load(self.folder / told["name"]), told["verdict"])

    def _say(self, reason: str) -> None:
        self.live.reason = reason
        if reason and reason != self._said:
            served = self.live.served
            log.warning("%s%s", reason, f"; version {served.version} goes on serving" if served else "")
        self._said = reason


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lets one process at a time change a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _warm(bundle: Bundle) -> None:
    """Asks a first question of every kind; raises BundleError where one gets no answer."""
    known = 0 if len(bundle.customers) else None
    try:
        bundle.prepare()
        for lane in LANES:
            for customer in (known, None):
                recommend(bundle, customer, lane, n=10)
        similar(bundle, product=0, n=10)
        view(bundle)  # so that what all views of the bundle share is made before it answers
    except Exception as error:
        raise BundleError(f"it can't answer a first question ({type(error).__name__})") from None
