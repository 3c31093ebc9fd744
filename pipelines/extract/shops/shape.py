"""The shape of a response, built from the paths that a profile names; all other fields are ignored."""

from collections.abc import Collection, Iterable
from typing import Annotated, Any, NotRequired, Optional

from pydantic import ConfigDict, FailFast, TypeAdapter, with_config
from typing_extensions import TypedDict

Text = str | None
Flag = str | bool | None
ANY = "*"  # in a path: each entry of a list


class FirstError(FailFast):
    """Of a list's wrong entries, the first alone is reported: there may be millions."""

    __hash__ = object.__hash__  # as part of an optional type


FIRST_ERROR = FirstError()

Tree = dict[str, "Tree"]  # the fields by name; a list has the one field ANY


def tree(paths: Iterable[str]) -> Tree:
    """Returns the fields that these paths name; an index in a path becomes ANY."""
    root: Tree = {}
    for path in paths:
        node = root
        for step in filter(None, path.split(".")):
            node = node.setdefault(ANY if step.isdecimal() else step, {})
    return root


def subtree(root: Tree, path: str) -> Tree:
    """Returns the fields below a path, none if the tree lacks it."""
    for step in filter(None, path.split(".")):
        root = root.get(step, {})
    return root


def leaves(root: Tree, at: str = "") -> set[str]:
    """Returns the paths of all fields that have no fields themselves."""
    below = [leaves(node, _join(at, name)) for name, node in root.items()]
    return set().union(*below) if below else {at}


def without(root: Tree, path: str) -> Tree:
    """Returns the tree without the field at a path."""
    step, _, rest = path.partition(".")
    kept = {name: node for name, node in root.items() if name != step}
    return kept | {step: without(root[step], rest)} if rest and step in root else kept


def shape(root: Tree, required: Collection[str], flags: Collection[str], at: str = "") -> Any:
    """Returns the type, for pydantic, of an object with these fields.

    Numbers become text. A required field may be null but not absent; all others may be null or absent.
    flags: paths of the fields that may be true or false.
    """
    if not root:
        return Flag if at in flags else Text
    if ANY in root:
        entry = shape(root[ANY], required, flags, _join(at, ANY))
        return Optional[_list_of(entry)]  # noqa: UP045 - made at run time
    fields = {}
    for name, node in root.items():
        path = _join(at, name)
        kind = shape(node, required, flags, path)
        fields[name] = kind if path in required else NotRequired[kind]
    entry = _typed(f"Fields of {at}", fields)
    return Optional[entry] if at and not at.endswith(ANY) else entry  # noqa: UP045 - made at run time


def response(
    list_path: str, entries: Any, count: str, others: dict[str, Any], is_graphql: bool
) -> TypeAdapter[Any]:
    """Returns the validator of a response with a list of entries at a path, and a number at the path `count`.

    others: the types of the response's other fields, by path; they may be absent. A response in GraphQL may
    hold errors instead of all of them.
    """
    if not list_path:
        return TypeAdapter(_list_of(entries))
    types = others | {list_path: _list_of(entries)} | ({count: int} if count else {})
    if is_graphql:
        types |= {"errors": list[dict[str, Any]] | None, "extensions": Any}
        return TypeAdapter(_object(types, None))
    return TypeAdapter(_object(types, {list_path, count}))


def _object(types: dict[str, Any], required: set[str] | None) -> Any:
    """Returns the type of the object with these types by path.

    required: the paths of the fields that must be there; with None all may be absent or null.
    """
    below: dict[str, dict[str, Any]] = {}
    for path, kind in types.items():
        head, _, rest = path.partition(".")
        below.setdefault(head, {})[rest] = kind
    fields = {}
    for head, inner in below.items():
        deeper = required and {path.partition(".")[2] for path in required if path.startswith(f"{head}.")}
        kind = inner[""] if "" in inner else _object(inner, deeper)
        needed = required is not None and any(f"{path}.".startswith(f"{head}.") for path in required)
        fields[head] = kind if needed else NotRequired[kind if required is not None else Optional[kind]]  # noqa: UP045
    return _typed("Response", fields)


def _list_of(entry: Any) -> Any:
    return Annotated[list[entry], FIRST_ERROR]


def _typed(name: str, fields: dict[str, Any]) -> Any:
    made: Any = TypedDict(name, fields)  # type: ignore[misc]
    return with_config(ConfigDict(coerce_numbers_to_str=True))(made)


def _join(path: str, step: str) -> str:
    return f"{path}.{step}" if path else step
