"""TOML files of settings, read and checked."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from serving.errors import NightshelfError, validation_message

Model = TypeVar("Model", bound=BaseModel)


class FrozenModel(BaseModel):
    """Base class of models that can't be changed and that reject unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read(model: type[Model], file: Path, what: str) -> Model:
    """The file's content; raises NightshelfError naming `what` is wrong, and where in it."""
    try:
        return model.model_validate(tomllib.loads(file.read_text()))
    except ValidationError as error:
        raise NightshelfError(f"{what} can't be used: {validation_message(error)}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise NightshelfError(f"{what} can't be read: {error}") from None
