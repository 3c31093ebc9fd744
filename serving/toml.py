"""TOML files of settings, read and checked."""

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from serving.errors import NightshelfError, wrong

Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], file: Path, what: str) -> Model:
    """The file's content; raises NightshelfError naming `what` is wrong, and where in it."""
    try:
        return model.model_validate(tomllib.loads(file.read_text()))
    except ValidationError as error:
        raise NightshelfError(f"{what} can't be used: {wrong(error)}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise NightshelfError(f"{what} can't be read: {error}") from None
