"""The `nightshelf` command."""

import sys

import typer

from pipelines.settings import settings, write_env
from serving.errors import NightshelfError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)


@app.callback()
def nightshelf() -> None:
    """Recommendations for web shops that retrain every night and can be trusted."""


@app.command()
def init() -> None:
    """Writes a .env with fresh secrets, unless there is one."""
    print("wrote .env" if write_env() else ".env is there already; left alone")


@app.command()
def config() -> None:
    """Prints every setting and its value; secrets are masked."""
    for name, value in settings().model_dump().items():
        print(f"NIGHTSHELF_{name.upper()}={value}")


def main() -> None:
    """The command's entry: an error that a user can mend is one line and exit code 1."""
    try:
        app()
    except NightshelfError as error:
        print(f"nightshelf: {error}", file=sys.stderr)
        sys.exit(1)
