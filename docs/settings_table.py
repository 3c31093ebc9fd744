"""Writes the table of docs/settings.md from the code: run `.venv/bin/python -m docs.settings_table`."""

from pathlib import Path

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from pipelines.settings import Settings

PAGE = Path(__file__).with_name("settings.md")
HEAD = "| setting | default | what it is |\n|---|---|---|\n"


def main() -> None:
    """Replaces the table, which is the end of the page."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text[: text.index(HEAD)] + HEAD + "".join(rows()), encoding="utf-8")


def rows() -> list[str]:
    """Returns a line of the table for each setting, in the order of `nightshelf config`."""
    return [
        f"| `NIGHTSHELF_{name.upper()}` | {default(field)} | {field.description} |\n"
        for name, field in Settings.model_fields.items()
    ]


def default(field: FieldInfo) -> str:
    """Returns a setting's default as Markdown; empty for none and for a secret."""
    if field.default_factory:
        return "the project's folder"
    is_secret = field.annotation is SecretStr
    value = "" if field.default is None or is_secret else str(field.default)
    return f"`{value}`" if value else ""


if __name__ == "__main__":
    main()
