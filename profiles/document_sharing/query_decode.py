"""A stored query's Slots become a question (ITI TF-2, 3.18.4.1.2.3); everything wrong with them is told at once.

A Slot of a name that the query does not have is passed over, and logged: consumers send what other registries know.
"""

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from profiles.document_sharing.query_tables import IGNORED, Kind, Parameter, QueryShape
from profiles.document_sharing.query_values import MOST_VALUES, Malformed, like_pattern, parse
from registry.metadata.datatypes import Cx, Cxi, Dtm
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.metadata.identify import UUID, bare_uuid
from registry.metadata.model import Slots
from registry.metadata.urn import AssociationType, ObjectType, Status, StoredQueryId
from registry.queries import Excluded, ReferenceId, StoredQuery

log = structlog.get_logger(__name__)
VALUES = "ITI TF-2, 3.18.4.1.2.3.5"
CODES = "ITI TF-2, 3.18.4.1.2.3.4"
STATUSES = "ITI TF-2, 3.18.4.1.2.3.6"
EXCLUDE, EXCLUDING = "Exclude", "excluding."
Given = Mapping[str, list[tuple[str, ...]]]


def decode_query(query_id: str, slots: Slots, shapes: Mapping[StoredQueryId, QueryShape]) -> StoredQuery:
    """The question that the stored query `query_id`, one of `shapes`, with these Slots asks.

    Raises:
        Rejected: XDSUnknownStoredQuery, XDSStoredQueryMissingParam, XDSStoredQueryParamNumber, XDSRegistryError.
    """
    shape = shape_of(query_id, shapes)
    given: dict[str, list[tuple[str, ...]]] = {}
    for name, values in slots:
        given.setdefault(name, []).append(values)
    findings = _presence(shape, given)
    fields: dict[str, Any] = {}
    for name, values_of in given.items():
        parameter = shape.by_name.get(name)
        if parameter is not None:
            value = _value(parameter, values_of, given.get(f"{name}Scheme", []), findings)
            if value is not None:
                fields[parameter.field] = value
        elif name not in IGNORED:
            _unread(shape, name, given, findings)
    if findings:
        raise Rejected(findings)
    excluding = {name: fields.pop(name) for name in list(fields) if name.startswith(EXCLUDING)}
    if excluding:
        fields["excluding"] = Excluded(**{name.removeprefix(EXCLUDING): value for name, value in excluding.items()})
    return shape.makes(**shape.fixed, **fields)


def shape_of(query_id: str, shapes: Mapping[StoredQueryId, QueryShape]) -> QueryShape:
    """The stored query that AdhocQuery/@id names.

    Raises:
        Rejected: XDSUnknownStoredQuery.
    """
    try:
        return shapes[StoredQueryId(query_id.strip().lower())]
    except (KeyError, ValueError):
        text = f"the stored query {query_id!r} is not known here"
        raise Rejected.because(
            ErrorCode.XDSUnknownStoredQuery, "AdhocQuery.id", text, "ITI TF-2, 3.18.4.1.2.4"
        ) from None


def _unread(shape: QueryShape, name: str, given: Given, findings: list[Finding]) -> None:
    """A Slot that fills no field by itself: the schemes of codes in another Slot, or a name that is not known."""
    codes = name.removesuffix("Scheme")
    if codes == name or codes not in shape.by_name:
        # The name is the sender's own and may say anything, so it stays out of the log.
        log.warning("unknown stored query parameter", query=shape.name)
    elif codes not in given:
        text = f"gives the schemes of {codes}, which is missing"
        findings.append(Finding(ErrorCode.XDSStoredQueryMissingParam, name, text, CODES))


def _presence(shape: QueryShape, given: Given) -> list[Finding]:
    """What is missing, what occurs too often, and what excludes each other."""
    findings: list[Finding] = []
    for name in shape.required:
        if not any(given.get(name, ())):
            findings.append(Finding(ErrorCode.XDSStoredQueryMissingParam, name, f"{shape.name} needs it", shape.source))
    for name, slots in given.items():
        parameter = shape.by_name.get(name)
        if len(slots) > 1 and parameter is not None and not parameter.ands:
            text = "the Slot occurs twice; only parameters that can be ANDed may be repeated"
            findings.append(Finding(ErrorCode.XDSStoredQueryParamNumber, name, text, VALUES))
        plain = name.removesuffix(EXCLUDE)
        if plain != name and parameter is not None and plain in given:
            text = f"excludes {plain}: one parameter cannot both select and leave out"
            findings.append(Finding(ErrorCode.XDSStoredQueryParamNumber, name, text, shape.source))
    if shape.any_of and not any(any(given.get(name, ())) for name in shape.any_of):
        text = f"{shape.name} needs at least one of {', '.join(shape.any_of)}"
        findings.append(Finding(ErrorCode.XDSStoredQueryMissingParam, shape.any_of[0], text, shape.source))
    there = [name for name in shape.one_of if any(given.get(name, ()))]
    if shape.one_of and not there:
        text = f"{shape.name} needs one of {', '.join(shape.one_of)}"
        findings.append(Finding(ErrorCode.XDSStoredQueryMissingParam, shape.one_of[0], text, shape.source))
    elif len(there) > 1:
        text = f"exclude each other: {', '.join(there)}"
        findings.append(Finding(ErrorCode.XDSStoredQueryParamNumber, there[0], text, shape.source))
    return findings


def _value(
    parameter: Parameter, slots: list[tuple[str, ...]], schemes: list[tuple[str, ...]], findings: list[Finding]
) -> Any:
    """The field's value, or None with findings added."""
    before = len(findings)
    ands = [_items(parameter, values, findings) for values in slots]
    if schemes and parameter.kind is Kind.CODE and len(findings) == before:
        ands = _with_schemes(parameter, ands, schemes, findings)
    read = tuple(_read(parameter, items, findings) for items in ands)
    if len(findings) > before or not all(read):
        return None
    if parameter.ands:
        return read
    return read[0] if parameter.many else read[0][0]


def _read(parameter: Parameter, items: list[str], findings: list[Finding]) -> tuple[Any, ...]:
    found, read = [], READ[parameter.kind]
    for item in items:
        try:
            found.append(read(item))
        except ValueError as error:
            findings.append(Finding(ErrorCode.XDSRegistryError, parameter.name, f"{error}", VALUES))
    if parameter.kind is not Kind.STATUS:
        return tuple(found)
    # A status that is not understood is passed over; only when none is left, the parameter is as good as absent.
    known = tuple(status for status in found if status is not None)
    if found and not known:
        text = f"none of its values is a status: {', '.join(Status)}"
        findings.append(Finding(ErrorCode.XDSStoredQueryMissingParam, parameter.name, text, STATUSES))
    return known


def _items(parameter: Parameter, values: tuple[str, ...], findings: list[Finding]) -> list[str]:
    """The items of one Slot; several Values are one list."""
    before = len(findings)
    items: list[str] = []
    for value in values:
        try:
            is_list, found = parse(value)
        except Malformed as error:
            findings.append(Finding(ErrorCode.XDSRegistryError, parameter.name, str(error), VALUES))
            continue
        if parameter.many and not is_list:
            text = "takes a list: its values stand in parentheses"
            findings.append(Finding(ErrorCode.XDSRegistryError, parameter.name, text, VALUES))
        elif is_list and not parameter.many and len(found) == 1:
            text = "takes one value, without parentheses"
            findings.append(Finding(ErrorCode.XDSRegistryError, parameter.name, text, VALUES))
        items += found
    if not items and len(findings) == before and not parameter.required:
        findings.append(Finding(ErrorCode.XDSRegistryError, parameter.name, "has no value", VALUES))
    if len(items) > MOST_VALUES:
        text = f"holds {len(items)} values, more than {MOST_VALUES}"
        findings.append(Finding(ErrorCode.XDSRegistryError, parameter.name, text, VALUES))
    if not parameter.many and len(items) > 1:
        text = f"takes one value, {len(items)} were sent"
        findings.append(Finding(ErrorCode.XDSStoredQueryParamNumber, parameter.name, text, VALUES))
    return items


def _with_schemes(
    parameter: Parameter, ands: list[list[str]], schemes: list[tuple[str, ...]], findings: list[Finding]
) -> list[list[str]]:
    """The older spelling, codes and their schemes in two Slots, as `code^^scheme` (ITI TF-2, 3.18.4.1.2.3.4)."""
    scheme_parameter = Parameter(f"{parameter.name}Scheme", "", Kind.TEXT, many=True)
    lists = [_items(scheme_parameter, values, findings) for values in schemes]
    if [len(one) for one in lists] != [len(one) for one in ands]:
        text = "must have as many schemes as codes"
        findings.append(Finding(ErrorCode.XDSStoredQueryParamNumber, scheme_parameter.name, text, VALUES))
        return ands
    return [
        [f"{code}^^{scheme}" for code, scheme in zip(codes, one, strict=True)]
        for codes, one in zip(ands, lists, strict=True)
    ]


def _code(text: str) -> str:
    parts = text.split("^")
    if len(parts) != 3 or not parts[0] or parts[1] or not parts[2]:
        raise ValueError("a code is written 'code^^scheme'")
    return text


def _type(text: str) -> ObjectType:
    if text.lower() not in (ObjectType.STABLE_DOCUMENT, ObjectType.ON_DEMAND_DOCUMENT):
        raise ValueError(f"{text!r} is not the type of a DocumentEntry")
    return ObjectType(text.lower())


def _relation(text: str) -> AssociationType:
    # Real senders write the bare names as well.
    try:
        return BARE_RELATIONS.get(text) or AssociationType(text)
    except ValueError:
        raise ValueError(f"{text!r} is not the type of an association") from None


def _level(text: str) -> bool:
    if text not in ("1", "2"):
        raise ValueError("is 1, the latest versions, or 2, all versions")
    return text == "2"


def _reference_pattern(text: str) -> ReferenceId:
    # The book has both, exact values in its text and LIKE patterns in its table. Identifiers hold underscores but no
    # percent signs, so it is a percent sign that makes a pattern.
    return ReferenceId(like_pattern(text), pattern=True) if "%" in text else _reference(text)


def _reference(text: str) -> ReferenceId:
    """A CXi value; the kind may be left out, and so may the authority."""
    if "^" not in text:
        return ReferenceId(text)
    parts = text.split("^")
    if len(parts) < 5 or not parts[4]:
        authority = (parts[3] + "&&").split("&") if len(parts) > 3 else ["", ""]
        return ReferenceId(parts[0], None, authority[1] or authority[0] or None)
    one = Cxi.parse(text)
    return ReferenceId(one.value, one.kind, one.authority or None)


def _uuid(text: str) -> str:
    if UUID.fullmatch(text.lower()) is None:
        raise ValueError(f"{text!r} is not a UUID, urn:uuid:...")
    return bare_uuid(text)


BARE_RELATIONS = {one.rpartition(":")[2]: one for one in AssociationType}
READ: Mapping[Kind, Callable[[str], Any]] = {
    Kind.TEXT: str,
    Kind.CODE: _code,
    Kind.TIME: lambda text: Dtm.parse(text).first,
    Kind.STATUS: {status.value: status for status in Status}.get,
    Kind.TYPE: _type,
    Kind.RELATION: _relation,
    Kind.REFERENCE: _reference,
    Kind.REFERENCE_PATTERN: _reference_pattern,
    Kind.PATIENT: lambda text: str(Cx.parse(text)),
    Kind.AUTHOR: like_pattern,
    Kind.UUID: _uuid,
    Kind.LEVEL: _level,
}
