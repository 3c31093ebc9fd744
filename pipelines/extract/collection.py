"""A collection of MongoDB: its connection, queries and errors."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pymongo
from bson import Decimal128, Timestamp
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions, DatetimeConversion, TypeDecoder, TypeRegistry
from bson.errors import BSONError
from pymongo.errors import ConfigurationError, ConnectionFailure, OperationFailure, PyMongoError

from pipelines.extract.mapping_tables import Documents
from serving.errors import NightshelfError, TransientError

ADDRESS = "mongodb://user:password@host/shop"
CONNECT_MS = 10_000
RESPONSE_MS = 120_000
BATCH_DOCUMENTS = 1000
REFUSED = (13, 18, 8000)  # error codes of a server that rejects the user
# Error codes after which a repetition may succeed: lost cursors, time limits, elections, shutdowns.
PASSING = (43, 50, 89, 91, 112, 189, 202, 262, 11600, 11602)


class _Decimals(TypeDecoder):
    bson_type = Decimal128

    def transform_bson(self, value: Decimal128) -> Decimal:
        return value.to_decimal()


class _Timestamps(TypeDecoder):
    bson_type = Timestamp

    def transform_bson(self, value: Timestamp) -> dt.datetime:
        return value.as_datetime()


OPTIONS: CodecOptions[dict[str, Any]] = CodecOptions(
    tz_aware=True,
    uuid_representation=UuidRepresentation.STANDARD,
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,  # also of years that Python doesn't know
    type_registry=TypeRegistry([_Decimals(), _Timestamps()]),
)


class Collection:
    """One collection; every method raises NightshelfError or TransientError."""

    def __init__(self, url: str, documents: Documents) -> None:
        if not url:
            raise NightshelfError(f"NIGHTSHELF_MONGO_URL is not set: write it as {ADDRESS}")
        try:
            with _client(url) as client:
                database = documents.database or client.get_default_database().name
        except (PyMongoError, ValueError, TypeError) as error:
            # The message is left out, because it may quote the URL with its password.
            advice = "name the database in it, or as `database` in [mongo] of the mapping"
            raise NightshelfError(
                f"NIGHTSHELF_MONGO_URL can't be used ({type(error).__name__}): write it as {ADDRESS}, with"
                f" %40 for an @ in the password; {advice}"
            ) from None
        self.url, self.database, self.collection = url, database, documents.collection
        self.description = f"the collection {database}.{documents.collection} at {_hosts(url)}"

    def find(
        self, condition: dict[str, Any], fields: list[str], order: list[str]
    ) -> Iterator[dict[str, Any]]:
        """Yields the documents that meet a condition, with only these fields, by ascending `order`."""
        with self._opened() as collection, collection.find(condition, _projection(fields)) as cursor:
            if order:
                cursor.sort([(name, 1) for name in order])
            yield from cursor.batch_size(BATCH_DOCUMENTS)

    def latest(self, field: str, condition: dict[str, Any]) -> Any:
        """Returns the highest value of a field, None if no document has one."""
        with self._opened() as collection:
            document: Any = collection.find_one(condition, _projection([field]), sort=[(field, -1)])
        for step in field.split("."):
            document = document.get(step) if isinstance(document, dict) else None
        return document

    def count(self, condition: dict[str, Any]) -> int:
        """Returns how many documents meet a condition; for all documents, as the server estimates it."""
        with self._opened() as collection:
            return (
                collection.count_documents(condition) if condition else collection.estimated_document_count()
            )

    @contextmanager
    def _opened(self) -> Iterator["pymongo.collection.Collection[dict[str, Any]]"]:
        """Opens a connection for the block; its errors become NightshelfError or TransientError."""
        try:
            with _client(self.url) as client:
                yield client[self.database].get_collection(self.collection, codec_options=OPTIONS)
        except (PyMongoError, BSONError, OSError) as error:
            raise _explanation(error, self.description) from None


def _client(url: str) -> "pymongo.MongoClient[dict[str, Any]]":
    return pymongo.MongoClient(
        url,
        connect=False,
        appname="nightshelf",
        serverSelectionTimeoutMS=CONNECT_MS,
        socketTimeoutMS=RESPONSE_MS,
    )


def _hosts(url: str) -> str:
    """Returns the hosts of a URL that MongoClient accepts, without user and password."""
    return url.partition("://")[2].partition("/")[0].partition("?")[0].rpartition("@")[2]


def _projection(fields: list[str]) -> dict[str, int]:
    """Returns MongoDB's projection to some fields, without indices and without fields inside other fields."""
    names = {_without_index(field) for field in fields}
    outer = [name for name in names if not any(name.startswith(f"{other}.") for other in names)]
    return dict.fromkeys(sorted(outer), 1) or {"_id": 1}


def _without_index(field: str) -> str:
    steps = field.split(".")
    index = next((at for at, step in enumerate(steps) if step.isdecimal()), len(steps))
    return ".".join(steps[:index])


def _explanation(error: Exception, description: str) -> NightshelfError:
    """Returns the error to raise. It has the server's code but not its message, which may quote documents."""
    name = type(error).__name__
    if isinstance(error, ConnectionFailure | OSError):
        return TransientError(
            f"{description} can't be reached or stopped answering ({name}): check that it is up and that"
            " NIGHTSHELF_MONGO_URL is right, then repeat the run"
        )
    if isinstance(error, OperationFailure):
        name = f"{(error.details or {}).get('codeName') or name}, code {error.code}"
        if error.code in PASSING:
            return TransientError(f"{description} stopped the query ({name}): repeat the run")
        if error.code in REFUSED:
            return NightshelfError(
                f"{description} refuses the user ({name}): correct user and password in NIGHTSHELF_MONGO_URL,"
                " or let the user read the collection"
            )
    if isinstance(error, ConfigurationError):
        return NightshelfError(f"NIGHTSHELF_MONGO_URL can't be used ({name}): write it as {ADDRESS}")
    return NightshelfError(
        f"{description} failed on the query ({name}): correct [mongo] or [columns] of the mapping"
    )
