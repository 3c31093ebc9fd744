"""Reads and validates TOML settings files."""

import tomllib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from serving.errors import NightshelfError, validation_message

MOST_POINTS = 1000  # in a line before its equals sign: a key of so many parts takes minutes to read

Model = TypeVar("Model", bound=BaseModel)


class FrozenModel(BaseModel):
    """Base class of models that can't be changed and that reject unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read(
    model: type[Model],
    file: Path,
    description: str,
    ignored: Collection[str] = (),
    completed: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Model:
    """Returns the file's content as a `model`, without the ignored top-level keys.

    completed: returns the content, completed by a file that it extends.
    Raises NightshelfError, which names the file by `description` and the invalid field or line.
    """
    try:
        content = completed(_parsed(file.read_text()))
        return model.model_validate({key: value for key, value in content.items() if key not in ignored})
    except ValidationError as error:
        raise NightshelfError(f"{description} can't be used: {validation_message(error)}") from None
    except RecursionError:
        raise NightshelfError(f"{description} can't be read: its values are nested too deeply") from None
    except (OSError, ValueError) as error:  # the latter for wrong TOML, wrong UTF-8 and very long numbers
        raise NightshelfError(f"{description} can't be read: {error}") from None


def _parsed(text: str) -> dict[str, Any]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.partition("=")[0].count(".") > MOST_POINTS:
            raise ValueError(f"line {number} has a key of more than {MOST_POINTS:,} parts")
    return tomllib.loads(text)
