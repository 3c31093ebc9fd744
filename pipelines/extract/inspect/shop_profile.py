"""What a shop's orders show that a profile doesn't say: guests, statuses, ids of nobody, time zone."""

import tomllib
from pathlib import Path

import pandas as pd
import pyarrow.compute as pc
import tomlkit

from pipelines import columns as c
from pipelines.extract.inspect import write
from pipelines.extract.inspect.draft import Draft, Json
from pipelines.extract.inspect.guesses import TIME_ZONE, has_offset
from pipelines.extract.inspect.people import guess_nobody
from pipelines.extract.inspect.statuses import FALSE, TRUE
from pipelines.extract.inspect.values import CODE
from pipelines.extract.inspect.words import bought, name_score, normal, status_reasons
from pipelines.extract.notation.times import EPOCHS
from pipelines.extract.records import plain_text, value_at
from pipelines.extract.shop_api import ShopApiSource
from pipelines.extract.shops.listing import Content, Entry
from pipelines.extract.shops.orders import OrderPage
from pipelines.extract.shops.profile import Profile, merged, shipped
from pipelines.extract.shops.rows import value_of
from serving.live.identity import is_nobody

LISTED = 10  # values in a message


class ShopGuess:
    """The draft of what differs from a profile."""

    def __init__(self, source: ShopApiSource, orders: list[Entry], sent: list[Entry]) -> None:
        """orders: in the form that the profile reads; sent: with all their fields."""
        self.profile, self.dialect = source.profile, source.dialect
        self.orders, self.sent = orders, sent
        self.draft = Draft()
        self.kept = _kept(orders, sent, self.profile)
        self._guess_people()
        self._guess_statuses()
        self._guess_times()
        self._guess_currencies()

    def _guess_people(self) -> None:
        column = self.profile.columns.get(c.CUSTOMER)
        customers = [value_of(order, column) if column else None for order in self.orders]
        rule = self.dialect.identity
        guests = sum(is_nobody(customer or "", rule) for customer in customers)
        if guests and not self.dialect.guests:
            self.draft.put("guests", True, f"{guests} of {len(customers)} orders have no customer")
        guess_nobody(self.draft, pd.Series(customers, dtype=object))
        if nobody := self.draft.content.get("identity"):
            nobody["nobody"] = [*rule.nobody, *nobody["nobody"]]
        local = [text for text in customers if text and not text.strip().startswith(("+", "00"))]
        is_phone = isinstance(column, str) and name_score(column, "phone") > 0 and not rule.country
        if is_phone and local:
            self.draft.undecided.append(
                "the country of telephone numbers without a country code: set NIGHTSHELF_SHOP_COUNTRY to its"
                " two letters, such as DE"
            )

    def _guess_statuses(self) -> None:
        """Adds rules for statuses that mean no purchase, behind those of the profile."""
        paths = self._status_paths()
        words = {path: self._statuses(path) for path in paths}
        rules: list[Json] = []
        for path in paths:
            has_words = any(not text.isdecimal() for other in paths if other != path for text in words[other])
            rules += self._rules(path, [text for text in words[path] if not (has_words and text.isdecimal())])
        if rules:
            known = [rule.model_dump(mode="json", exclude_none=True) for rule in self.profile.leave_out]
            self.draft.content["leave_out"] = known
            for rule in rules:
                self.draft.leave_out(rule, "seen in this shop")

    def _status_paths(self) -> list[str]:
        """Returns the paths of the orders' statuses: those that rules name, and fields that are called so."""
        lines = f"{self.profile.nested.lines}." if self.profile.nested else "\0"
        named = [rule.column for rule in self.profile.leave_out if rule.values]
        fields = {name for order in self.sent for name, value in order.items() if isinstance(value, str)}
        others = sorted(name for name in fields if name_score(name, "status") >= 0.6)
        return [path for path in dict.fromkeys([*named, *others]) if not path.startswith(lines)]

    def _statuses(self, path: str) -> list[str]:
        """Returns the distinct values of a path in the orders that the profile keeps."""
        return sorted(set(filter(None, (_text(order, path) for order in self.kept))))

    def _rules(self, path: str, texts: list[str]) -> list[Json]:
        """Returns the rules for values of a path that mean no purchase; notes those of unknown meaning.

        What rules about another path judge, such as whether an order is paid, this path doesn't decide.
        """
        here = {rule.reason for rule in self.profile.leave_out if rule.column == path}
        elsewhere = {rule.reason for rule in self.profile.leave_out} - here
        reasons: dict[str, list[str]] = {}
        for text in texts:
            reason = status_reasons().get(normal(text))
            if reason and reason not in elsewhere:
                reasons.setdefault(reason, []).append(text)
        unknown = [text for text in texts if not _is_clear(text)]
        if unknown and (here or reasons):
            listed = ", ".join(map(repr, unknown[:LISTED]))
            self.draft.undecided.append(
                f"whether orders count whose {path!r} is {listed}: they are kept; to leave them out add a"
                " [[leave_out]]"
            )
        return [{"reason": reason, "column": path, "values": values} for reason, values in reasons.items()]

    def _guess_times(self) -> None:
        profile = self.profile
        times = [value_of(order, profile.columns[c.ORDERED_AT]) or "" for order in self.orders]
        is_stated = "timezone" in profile.model_fields_set or set(profile.times) & {*EPOCHS}
        if any(times) and not is_stated and not any(map(has_offset, times)):
            self.draft.undecided.append(TIME_ZONE)

    def _guess_currencies(self) -> None:
        if self.profile.currency:
            return
        for path in sorted({name for order in self.sent for name in order}):
            if name_score(path, "currency") < 0.6:
                continue
            codes = sorted(set(filter(None, (_text(order, path) for order in self.sent))))
            if len(codes) > 1 and all(map(CODE.match, codes)):
                self.draft.undecided.append(
                    f"the rates of currencies: {path!r} has {', '.join(codes)}; unless the shop states prices"
                    " in one of them, add [currency]"
                )


def _kept(orders: list[Entry], sent: list[Entry], profile: Profile) -> list[Entry]:
    """Returns the orders of which the profile keeps a line, with all their fields."""
    page = OrderPage(Content(orders, None, None), profile)
    lines = page.lines.filter(pc.is_null(page.lines[c.LEFT_OUT]))
    ids = set(lines[c.ORDER_ID].to_pylist())
    return [order for order, name in zip(sent, page.ids, strict=True) if name in ids]


def changed(profile: Profile, draft: Draft) -> Profile:
    """Returns a profile with what a draft says."""
    content = profile.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return Profile.model_validate(merged(content, draft.content))


def to_toml(draft: Draft, name: str, url: str) -> str:
    """Returns the profile as TOML: a shipped one is extended, the user's own is copied with the changes."""
    if name in shipped():
        extension = Draft({"extends": name, **draft.content}, draft.notes, draft.undecided)
        return write.to_toml(extension, url)
    own = Path(name).read_text(encoding="utf-8")
    document = tomlkit.parse(own)
    for key, value in merged(tomllib.loads(own), draft.content).items():
        if key in draft.content:
            document[key] = value
    return f"# {name}, with what `nightshelf inspect` saw at {url}.\n{tomlkit.dumps(document)}"


def _text(order: Entry, path: str) -> str | None:
    """Returns a plain value of an order as text, None for anything else."""
    try:
        return plain_text(value_at(order, path))
    except (TypeError, AttributeError):
        return None


def _is_clear(text: str) -> bool:
    """Returns whether a status is a word of known meaning, or a flag."""
    word = normal(text)
    is_word = word in bought() and not word.isdecimal()
    return is_word or word in status_reasons() or word in TRUE | FALSE
