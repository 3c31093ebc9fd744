"""Guesses which lines aren't purchases, from statuses, flags, dates and kinds of events; currencies."""

import pandas as pd

from pipelines.extract.inspect.choice import Columns
from pipelines.extract.inspect.draft import Draft
from pipelines.extract.inspect.values import CODE, Evidence
from pipelines.extract.inspect.words import bought, name_score, normal, status_reasons, words

MAX_WORDS = 40  # distinct values of a column of statuses
TRUE = {"true", "1", "yes", "y", "ja", "oui", "si", "да", "t", "x"}
FALSE = {"false", "0", "no", "n", "nein", "non", "нет", "f", ""}

Values = dict[str, list[str]]  # the distinct values by column


def guess_left_out(draft: Draft, columns: Columns, values: Values) -> None:
    """Adds the rules that leave lines out, and the kinds of events that are purchases."""
    event = _event_column(columns, values)
    if event:
        purchases = [text for text in values[event] if normal(text) in _event_words(words().events.purchases)]
        others = [text for text in values[event] if text not in purchases]
        draft.put("events", {"column": event, "purchases": purchases}, f"left out: {', '.join(others)}")
    for seen in columns.free():
        if seen.name == event:
            continue
        if seen.is_time and name_score(columns.own(seen.name), "cancelled_at") >= 0.6 and seen.filled < 0.9:
            draft.leave_out(
                {"reason": "cancelled", "column": seen.name, "filled": True}, "a cancelled order has a date"
            )
        elif seen.name in values:
            _guess_statuses(draft, columns, seen, values[seen.name])


def distinct(column: "pd.Series[str]") -> list[str]:
    """Returns the distinct values of a column that aren't blank, in ascending order."""
    filled = column.dropna()
    return sorted(filled[filled.str.strip() != ""].unique().tolist())


def candidates(columns: Columns) -> list[str]:
    """Returns the columns whose distinct values are needed: statuses, flags, events, currencies."""
    kinds = ("status", "flag", "event", "currency")
    return [
        seen.name
        for seen in columns.free()
        if seen.distinct <= MAX_WORDS
        and (
            max(name_score(columns.own(seen.name), kind) for kind in kinds) >= 0.5
            or (seen.letters > 0.9 and seen.length < 25)
        )
    ]


def _guess_statuses(draft: Draft, columns: Columns, seen: Evidence, values: list[str]) -> None:
    by_name = max(
        name_score(columns.own(seen.name), "status"),
        name_score(columns.own(seen.name).rpartition(".")[2], "status"),
    )
    if (
        name_score(columns.own(seen.name), "flag") >= 0.6
        and {normal(text) for text in values} <= TRUE | FALSE
    ):
        _guess_flag(draft, columns, seen.name, values)
        return
    reasons = {text: reason for text in values if (reason := status_reasons().get(normal(text)))}
    known = len(reasons) + sum(normal(text) in bought() for text in values)
    if not values or (by_name < 0.5 and (not reasons or known < 0.8 * len(values) or known < 2)):
        return
    if by_name < 0.6 and known < 0.5 * len(values):
        return
    _add_rules(draft, seen.name, reasons, with_usual=by_name >= 0.6 and any(map(_is_english, values)))
    open_words = [text for text in values if text not in reasons and normal(text) not in bought()]
    if open_words:
        listed = ", ".join(map(repr, open_words[:10]))
        draft.undecided.append(
            f"whether orders count whose {seen.name!r} is {listed}: they are kept; to leave them out add a"
            " [[leave_out]]"
        )


def _add_rules(draft: Draft, column: str, reasons: dict[str, str], with_usual: bool) -> None:
    """Adds a rule for each reason: its words among the values, and the usual words if they are English."""
    usual = words().usual if with_usual else {}
    for reason in dict.fromkeys([*reasons.values(), *usual]):
        seen = [text for text in reasons if reasons[text] == reason]
        known = {normal(text) for text in reasons}
        expected = [word for word in usual.get(reason, ()) if normal(word) not in known]
        note = f"not seen yet: {', '.join(expected)}" if expected else ""
        draft.leave_out({"reason": reason, "column": column, "values": [*seen, *expected]}, note)


def _is_english(word: str) -> bool:
    usual = {text for texts in words().usual.values() for text in texts}
    return normal(word) in usual | {"completed", "processing", "paid", "shipped", "delivered", "complete"}


def _guess_flag(draft: Draft, columns: Columns, name: str, values: list[str]) -> None:
    listed = [text for text in values if normal(text) in TRUE]
    own = normal(columns.own(name))
    reason = "test" if "test" in own else "refunded" if "refund" in own else "cancelled"
    draft.leave_out({"reason": reason, "column": name, "values": listed or ["true", "1"]}, "")


def _event_column(columns: Columns, values: Values) -> str | None:
    """Returns the column of kinds of events: purchases are among them, and views or carts."""
    purchases, others = (_event_words(list_) for list_ in (words().events.purchases, words().events.others))
    for name, texts in values.items():
        kinds = {normal(text) for text in texts}
        if kinds & purchases and kinds & others:
            return name
    return None


def _event_words(listed: tuple[str, ...]) -> set[str]:
    return {normal(word) for word in listed}


def guess_currency(draft: Draft, columns: Columns, frame: "pd.DataFrame", values: Values) -> None:
    """Adds the column of currencies if there are several."""
    for name, texts in values.items():
        codes = [text for text in texts if CODE.match(text)]
        is_currency = name_score(columns.own(name), "currency") >= 0.6 and len(codes) == len(texts)
        if is_currency and len(texts) > 1:
            usual = frame[name].mode().iloc[0]
            others = [text for text in texts if text.strip().upper() != usual.strip().upper()]
            draft.put(
                "currency", {"column": name, "to": usual.strip().upper()}, "the currency of most orders"
            )
            draft.undecided.append(
                f"the rates of {', '.join(others)}: until they are set under [currency.rates], such orders"
                " are left out"
            )
            return
