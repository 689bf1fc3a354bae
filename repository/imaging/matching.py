"""The conditions of a question, read from attributes and values as their askers write them (PS3.4 C.2.2.2).

Date and time are matched each by itself: combined matching must be negotiated (PS3.4 C.2.2.2.5), and nobody does.
"""

import re
from collections.abc import Iterable

from registry.metadata.errors import ErrorCode, Finding, Rejected
from repository.imaging.part10 import is_uid
from repository.imaging.query import PARAMETERS, Key, Kind, Level, Match, Operator, folded, key_of, keys_at

MATCHING = "PS3.4 C.2.2.2"
MOST_VALUES = 500
MOST_WORDS = 8
DATE_RANGE = re.compile(r"([0-9]{8})?(-)?([0-9]{8})?")
TIME = r"([0-9]{2}(?:[0-9]{2}(?:[0-9]{2}(?:\.[0-9]{1,6})?)?)?)"
TIME_RANGE = re.compile(rf"{TIME}?(-)?{TIME}?")


def matches_of(level: Level, asked: Iterable[tuple[str, str]], *, fuzzy: bool = False) -> tuple[Match, ...]:
    """The conditions of (attribute, value) pairs; attributes are keywords or tags of eight hexadecimal digits.

    An empty value and `*` match everything and give no condition. With `fuzzy` each word of a person's name may begin
    any word of the stored one.

    Raises:
        Rejected: InvalidRequest, with each attribute that cannot be matched and each value that cannot be read. A
            condition is never left out silently: the answer would show more than was asked for.
    """
    found: dict[str, Match] = {}
    findings: list[Finding] = []
    for name, value in asked:
        key = key_of(level, name)
        if key is None:
            known = ", ".join(key.keyword for key in keys_at(level))
            findings.append(_finding(name, f"the attribute cannot be matched here; these can: {known}", PARAMETERS))
        elif value.strip().strip("*"):
            try:
                match = _match(key, value.strip(), fuzzy)
            except ValueError as error:
                findings.append(_finding(name, str(error), MATCHING))
            else:
                if found.setdefault(key.keyword, match) != match:
                    findings.append(_finding(name, "the attribute is asked for twice", PARAMETERS))
    if findings:
        raise Rejected(findings)
    return tuple(sorted(found.values(), key=lambda match: match.keyword))


def _match(key: Key, value: str, fuzzy: bool) -> Match:
    operator, values = _READERS[key.kind](value)
    if key.kind is Kind.NAME and fuzzy and (words := re.findall(r"\w+", values[0])):
        return Match(key.keyword, Operator.WORDS, tuple(words[:MOST_WORDS]))
    return Match(key.keyword, operator, values)


def _listed(value: str) -> tuple[str, ...]:
    parts = tuple(dict.fromkeys(part.strip() for part in re.split(r"[,\\]", value) if part.strip()))
    if len(parts) > MOST_VALUES:
        raise ValueError(f"at most {MOST_VALUES} values can be asked for at once")
    return parts


def _uids(value: str) -> tuple[Operator, tuple[str, ...]]:
    uids = _listed(value)
    if not all(map(is_uid, uids)):
        raise ValueError("a UID is digits and dots, at most 64 characters")
    return Operator.ONE_OF, uids


def _codes(value: str) -> tuple[Operator, tuple[str, ...]]:
    return Operator.ONE_OF, _listed(value)


def _text(value: str) -> tuple[Operator, tuple[str, ...]]:
    return Operator.LIKE if "*" in value or "?" in value else Operator.EQUALS, (_bounded(value),)


def _name(value: str) -> tuple[Operator, tuple[str, ...]]:
    return Operator.LIKE, (_bounded(folded(value)),)


def _issuer(value: str) -> tuple[Operator, tuple[str, ...]]:
    return Operator.EQUALS, (_bounded(value),)


def _number(value: str) -> tuple[Operator, tuple[str, ...]]:
    if re.fullmatch(r"[+-]?[0-9]{1,12}", value) is None:
        raise ValueError("a whole number is expected")
    return Operator.EQUALS, (str(int(value)),)


def _dates(value: str) -> tuple[Operator, tuple[str, ...]]:
    first, last = _ends(DATE_RANGE, value, "a date is written YYYYMMDD, a range YYYYMMDD-YYYYMMDD")
    return Operator.RANGE, (first, last)


def _times(value: str) -> tuple[Operator, tuple[str, ...]]:
    first, last = _ends(TIME_RANGE, value, "a time is written hh[mm[ss]], a range hhmmss-hhmmss")
    first, last = first.partition(".")[0], last.partition(".")[0]
    return Operator.RANGE, (first and first.ljust(6, "0"), last and last + "235959"[len(last) :])


def _ends(form: re.Pattern[str], value: str, otherwise: str) -> tuple[str, str]:
    read = form.fullmatch(value.replace(" ", ""))
    if read is None or not (read[1] or read[3]) or (read[1] and read[3] and not read[2]):
        raise ValueError(otherwise)
    return read[1] or "", (read[3] or "") if read[2] else read[1] or read[3]


def _bounded(value: str) -> str:
    if len(value) > 256 or "\0" in value:
        raise ValueError("the value is longer than any that is stored")
    return value


_READERS = {
    Kind.UID: _uids,
    Kind.CODE: _codes,
    Kind.TEXT: _text,
    Kind.NAME: _name,
    Kind.DATE: _dates,
    Kind.TIME: _times,
    Kind.NUMBER: _number,
    Kind.ISSUER: _issuer,
}


def _finding(where: str, text: str, source: str) -> Finding:
    return Finding(ErrorCode.InvalidRequest, where[:64], text, source)
