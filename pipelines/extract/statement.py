"""The query of a mapping as a subquery: whatever the user wrote in it is passed on to the database."""

import re
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

# The parts of a query in which a semicolon or a comment sign means nothing, and its comments.
COMMON = r"(?P<comment>/\*.*?\*/|{line_comments})|(?P<space>[\s;]+)|{quoted}|."
MYSQL_TOKEN = re.compile(
    COMMON.format(
        line_comments=r"(?:--(?=\s|$)|\#)[^\n]*",
        quoted=r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`",
    ),
    re.DOTALL,
)
TOKEN = re.compile(
    COMMON.format(
        line_comments=r"--[^\n]*",
        quoted=r"[eE]'(?:[^'\\]|\\.)*'|'[^']*'|\"[^\"]*\"|(?P<dollar>\$\w*\$).*?(?P=dollar)",
    ),
    re.DOTALL,
)


def without_end(query: str, is_mysql: bool) -> str:
    r"""Returns a query without the semicolons and comments at its end.

    >>> without_end("SELECT ';' AS a, '#' AS b -- all;\n;  /* done */", is_mysql=True)
    "SELECT ';' AS a, '#' AS b"
    """
    end = 0
    for token in (MYSQL_TOKEN if is_mysql else TOKEN).finditer(query):
        if not (token["comment"] or token["space"]):
            end = token.end()
    return query[:end]


def subquery(query: str, columns: Iterable[str], is_mysql: bool) -> sa.Subquery:
    """Returns a mapping's query as a subquery with these columns."""
    text = without_end(query, is_mysql)
    # SQLAlchemy takes :name for a parameter, also inside a literal, unless the colon is escaped.
    clause: Any = sa.text(text.replace(":", r"\:") + "\n")
    result: sa.Subquery = clause.columns(*map(sa.column, columns)).subquery("source_lines")
    return result
