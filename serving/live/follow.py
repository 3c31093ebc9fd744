"""Follows the registry's champion without a restart: loads the new bundle beside the old one, then swaps."""

import contextlib
import gc
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.bundle import files
from serving.bundle.files import load
from serving.bundle.format import Bundle, Manifest
from serving.errors import BundleError, NightshelfError
from serving.live import approval, opening, registry
from serving.live.approval import APPROVAL
from serving.live.copies import Copies
from serving.live.merchandising import Merchandising
from serving.live.poller import Poller
from serving.live.served import Served, ServingState
from serving.observe import metrics
from serving.settings import ServingSettings

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

GC_THRESHOLDS = (2_000, 20, 100)  # many collections of about 1 ms instead of few of about 30 ms

log = logging.getLogger(__name__)


class Follower:
    """Keeps the serving state at the registry's champion, if this installation approved that version.

    Bundles are in HOME/.nightshelf/bundles. After a restart without a registry, or with a champion that is
    not approved, the service loads the bundle served last.
    """

    def __init__(self, settings: ServingSettings, state: ServingState) -> None:
        self.settings = settings
        self.state = state
        self.folder = settings.state / "bundles"
        self.merchandising = Merchandising(Path(settings.shop_rules) if settings.shop_rules else None)
        self._name = ""
        self._copies = Copies(self.folder)
        self._refused: dict[tuple[str, str], str] = {}  # the reason, by name of the bundle and approval
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
        attempt = name, champion.tags.get(APPROVAL, "")  # a promotion by hand is another attempt
        if attempt in self._refused:
            raise BundleError(self._refused[attempt])
        if name == self._name:
            return
        with self._copies.locked():
            try:
                self._switch_to(champion, name)
            except BundleError as error:
                self._refused[attempt] = f"version {champion.version} is refused: {error}"
                raise BundleError(self._refused[attempt]) from None

    def _switch_to(self, champion: "ModelVersion", name: str) -> None:
        folder = self.folder / name
        if not champion.tags.get(APPROVAL):
            self._carry_over(champion, folder)
        verdict = registry.verdict(champion)
        self._serve(name, self._obtain(champion, folder), verdict)
        self._copies.remember(name, verdict, champion.tags[APPROVAL])

    def _carry_over(self, champion: "ModelVersion", folder: Path) -> None:
        """Approves the version that this service served under release 0.1, which knew no approvals.

        Raises BundleError if the service didn't serve it.
        """
        record = self._copies.record()
        if record.get("name") != folder.name or "approval" in record:
            raise BundleError(approval.missing(str(champion.version)))
        if (manifest := files.manifest(folder)) == registry.manifest(champion):
            value = registry.seal(self._key, APPROVAL, champion, manifest, registry.verdict(champion))
            registry.set_tag(self.settings, champion, APPROVAL, value)
            champion.tags[APPROVAL] = value

    def _obtain(self, champion: "ModelVersion", folder: Path) -> Bundle:
        """Loads the champion's bundle from a folder; downloads it first if the folder has no usable one."""
        with contextlib.suppress(BundleError):
            return self._load_approved(champion, folder)
        self._require_approval(champion, registry.manifest(champion))
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".") as temporary:
            bundle = registry.download(champion, Path(temporary)).rename(Path(temporary, folder.name))
            self._require_approval(champion, files.manifest(bundle))
            opening.try_out(bundle)
            shutil.rmtree(folder, ignore_errors=True)
            bundle.rename(folder)
        return load(folder)

    def _load_approved(self, champion: "ModelVersion", folder: Path) -> Bundle:
        self._require_approval(champion, files.manifest(folder))
        return load(folder)

    def _require_approval(self, champion: "ModelVersion", manifest: Manifest) -> None:
        if not registry.is_approved(self._key, champion, manifest):
            raise BundleError(approval.missing(str(champion.version)))

    def _serve(self, name: str, bundle: Bundle, verdict: dict[str, Any]) -> None:
        opening.warm_up(bundle)
        gc.collect()
        gc.freeze()  # else every full collection would traverse the objects that stay alive
        gc.set_threshold(*GC_THRESHOLDS)
        before, version, cap = self.state.served, name.partition("-")[0], self.settings.per_category or None
        self.state.served = Served(version, bundle, verdict, cap, merchandising=self.merchandising)
        metrics.set_live_version(version, before.version if before else None)
        self._name = name
        log.info("version %s is live", version)

    def _resume(self) -> None:
        """Serves the bundle served last, if its copy on disk is usable."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError, NightshelfError):
            record = self._copies.record()
            name, verdict = record["name"], record["verdict"]
            bundle = load(self.folder / name)
            if self._is_remembered(record, bundle.manifest):
                self._serve(name, bundle, verdict)

    def _is_remembered(self, record: dict[str, Any], manifest: Manifest) -> bool:
        """Returns whether a bundle on disk is the one that was served; release 0.1 can't say."""
        if "approval" not in record:
            return True
        version, model = record["name"].partition("-")[0], self.settings.model_name
        expected = approval.seal(self._key, APPROVAL, model, version, manifest, record["verdict"])
        return approval.matches(record["approval"], expected)

    @property
    def _key(self) -> str:
        return self.settings.require_customer_key()

    def _report(self, reason: str) -> None:
        self.state.reason = reason
        if reason and reason != self._logged_reason:
            served = self.state.served
            log.warning("%s%s", reason, f"; version {served.version} stays live" if served else "")
        self._logged_reason = reason
