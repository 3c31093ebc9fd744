"""The HTTP service: it answers requests from the champion's bundle."""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Modules that model versions registered by release 0.1 import, and the modules that now define their names.
# Such a version brings copies of its modules, but Python doesn't find them once this package is imported.
# To be removed in the next release.
MOVED = {
    "serving.identity": ("serving.live.identity",),
    "serving.recommender": ("serving.recommend.recommender", "serving.recommend.lanes"),
}


class _MovedModules(MetaPathFinder, Loader):
    """Makes moved modules importable by their old names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        for name in MOVED[module.__name__]:
            names = vars(importlib.import_module(name))
            vars(module).update({key: value for key, value in names.items() if not key.startswith("__")})


sys.meta_path.append(_MovedModules())
