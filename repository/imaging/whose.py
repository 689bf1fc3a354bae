"""Whose a Patient ID is that a question names without its issuer.

Two hospitals give the same number to two people, and neither must be shown as the other. So a bare Patient ID means:

1. within the studies that the question names by UID, theirs: nothing else can be found;
2. where the asker has an authority of its own (a DICOM peer's setting), that one's patient and nobody else's, even if
   only another hospital holds the number;
3. else, where one authority alone is known to have given the number, that one's patient;
4. else the patient whose study the asker is looking at, which a viewer tells with its page's address;
5. else the patient of the first of the domain's authorities that has given the number.

An answer for one of several says so, and names how to ask for the others. Patterns are searches and not identities:
they find the patients of all authorities, each with its issuer.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from registry.metadata.datatypes import Cx, is_oid
from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.query import DicomQuery, Match, Operator
from repository.imaging.source import ImagingSource

_SOURCE = "PS3.3 C.7.1.1"
_IDENTITY = ("PatientID", "IssuerOfPatientID")


class Holders(Protocol):
    """Who is in the index, as far as the asker may see it."""

    def __call__(self, *, value: str = "", studies: Sequence[str] = ()) -> set[str]:
        """Canonical CX texts of those with this Patient ID, or of those whose these studies are."""


def settled(
    query: DicomQuery, source: ImagingSource, holders: Holders, same: Callable[[str, str | None], tuple[str, ...]]
) -> tuple[DicomQuery, str]:
    """The question for all ids of the one patient whom it names, and a note where others have the number too.

    `same` gives all canonical CX texts of whoever has an identifier, none where the patient was never merged.

    Raises:
        Rejected: InvalidRequest, the issuer is a name that no setting maps to an OID.
    """
    value, issuer = (query.wanted.get(keyword, "") for keyword in _IDENTITY)
    if issuer and not is_oid(issuer):
        issuer = _known(issuer, source)
        others = (match for match in query.matches if match.keyword != "IssuerOfPatientID")
        query = replace(query, matches=(*others, Match("IssuerOfPatientID", Operator.EQUALS, (issuer,))))
    if not value or (query.studies and not issuer):
        return query, ""
    authority, note = (issuer, "") if issuer else _authority(value, query, source, holders, same)
    if not authority:
        return query, ""
    ids = same(value, authority) or (str(Cx(value, authority)),)
    # The issuer's column holds the whole identifier: an id of another issuer is another patient's.
    rest = (match for match in query.matches if match.keyword not in _IDENTITY)
    return replace(query, matches=(*rest, Match("IssuerOfPatientID", Operator.ONE_OF, ids))), note


def _authority(
    value: str,
    query: DicomQuery,
    source: ImagingSource,
    holders: Holders,
    same: Callable[[str, str | None], tuple[str, ...]],
) -> tuple[str, str]:
    """The authority that is meant, empty where nobody has the number, and the note."""
    if query.authority:
        return query.authority, ""
    known = map(Cx.parse, (*holders(value=value), *same(value, None)))
    order = {oid: place for place, oid in enumerate(source.patient_authorities)}
    given = sorted(
        {cx.authority for cx in known if cx.value == value}, key=lambda oid: (order.get(oid, len(order)), oid)
    )
    if len(given) < 2:
        return "".join(given), ""
    meant = _viewed(value, given, query, holders, same) or given[0]
    note = (
        f"The Patient ID is held of {len(given)} authorities; these are the matches of {meant}: name IssuerOfPatientID"
    )
    return meant, note


def _viewed(
    value: str, given: Sequence[str], query: DicomQuery, holders: Holders, same: Callable[[str, str | None], Any]
) -> str:
    """The authority under which the patient on the asker's screen has the number, empty for none."""
    looked_at = holders(studies=query.viewed) if query.viewed else set()
    cases = ((oid, {*same(value, oid), str(Cx(value, oid))}) for oid in given)
    return next((oid for oid, ids in cases if ids & looked_at), "")


def _known(issuer: str, source: ImagingSource) -> str:
    if oid := source.authority_of(issuer):
        return oid
    text = "the issuer is asked for by its OID, or by a name that `patient_issuers` maps to one"
    raise Rejected.because(ErrorCode.InvalidRequest, "IssuerOfPatientID", text, _SOURCE)
