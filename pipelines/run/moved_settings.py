"""Settings that moved out of sweep.toml: for one release, their old sections are still read."""

import logging
import tomllib
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from serving import toml
from serving.errors import NightshelfError, validation_message

MOVED = ("evaluation", "gate", "rules", "business")  # sections that earlier releases kept in sweep.toml
PIPELINES = Path(__file__).parents[1]
OLD_FILES = (PIPELINES / "sweep" / "sweep.toml", PIPELINES / "sweep.toml")

Model = TypeVar("Model", bound=BaseModel)

log = logging.getLogger(__name__)


def read(model: type[Model], file: Path, section: str) -> Model:
    """Returns the settings of a file, overridden by the section of sweep.toml that held them before.

    Raises NightshelfError if the file or the section can't be used.
    """
    current = toml.read(model, file, file.name)
    old = _section(section)
    if not old:
        return current
    _warn(section, str(file.relative_to(PIPELINES.parent)))
    try:
        return model.model_validate(current.model_dump() | old)
    except ValidationError as error:
        raise NightshelfError(
            f"[{section}] of sweep.toml can't be used: {validation_message(error)}"
        ) from None


def _section(name: str) -> dict[str, Any]:
    for file in OLD_FILES:
        with suppress(FileNotFoundError, tomllib.TOMLDecodeError):  # the sweep itself reports a broken file
            if section := tomllib.loads(file.read_text()).get(name):
                return dict(section)
    return {}


@cache
def _warn(section: str, file: str) -> None:
    log.warning(
        "[%s] of sweep.toml still overrides %s: move its values there; the next release ignores the section",
        section,
        file,
    )
