"""The HTTP service: it answers requests from the champion's bundle."""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

# Modules that a version registered by release 0.1 imports, and where their names are now. A process that has
# imported this package before does not find the version's own copies. The next release drops this.
MOVED = {
    "serving.identity": ("serving.live.identity",),
    "serving.recommender": ("serving.recommend.recommender", "serving.recommend.lanes"),
}


class _MovedModules(MetaPathFinder, Loader):
    """Finds the names of moved modules under the modules' old names."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        for name in MOVED[module.__name__]:
            names = vars(importlib.import_module(name))
            vars(module).update({key: value for key, value in names.items() if not key.startswith("__")})


sys.meta_path.append(_MovedModules())
