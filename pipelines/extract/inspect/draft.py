"""The draft of a mapping: its keys and values, why each was guessed, and what could not be decided."""

from dataclasses import dataclass, field
from typing import Any

from pipelines.extract.mapping import Mapping

Json = dict[str, Any]


@dataclass
class Draft:
    """A mapping in the making.

    content: as in the TOML file. notes: a comment by key, such as columns.customer.
    """

    content: Json = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    undecided: list[str] = field(default_factory=list)
    shape: str = ""  # the shipped mapping that reads these columns, if there is one

    def put(self, key: str, value: Any, note: str = "") -> None:
        """Sets a key, such as file.encoding, with a comment."""
        table, _, name = key.rpartition(".")
        (self.content.setdefault(table, {}) if table else self.content)[name] = value
        if note:
            self.notes[key] = note

    def leave_out(self, rule: Json, note: str) -> None:
        """Adds a rule that leaves lines out."""
        rules = self.content.setdefault("leave_out", [])
        self.notes[f"leave_out.{len(rules)}"] = note
        rules.append(rule)

    def mapping(self) -> Mapping:
        """Returns the mapping; its columns may be incomplete."""
        return Mapping.model_validate(self.content)
