"""RAD-129, QIDO-RS Query: studies, series and instances by their attributes (RAD TF-2, 4.129; PS3.18, 10.6).

A parameter that names no attribute is passed over with a warning. One that names an attribute which cannot be matched
is refused: the answer without that condition would show more than was asked for.

A viewer asks for all studies of a bare Patient ID and cannot name its issuer. Its page's address says which study is
on the screen, and the browser says that address: so the question is read as one about that study's patient
(`repository.imaging.whose`). It decides between namesakes by number, and gives no right to see anything.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import orjson
from flask import Request
from pydicom.datadict import tag_for_keyword

from profiles.catalog import Http, Transaction
from profiles.faces.accept import Form, accept_of, best
from profiles.faces.dicom_xml import DICOM_XML, native_model
from profiles.faces.dicomweb import DICOM_JSON, JSON, Part, checked_uids, json_reply, parts_reply
from profiles.faces.reply import Reply
from profiles.house import House
from profiles.wia.urls import ROOT, SERIES, STUDIES, STUDY
from registry.access import Caller
from registry.metadata.errors import ErrorCode, Finding, Rejected
from repository.imaging.matching import matches_of
from repository.imaging.part10 import is_uid
from repository.imaging.query import DicomQuery, Level, Match, include_of

T = TypeVar("T")

_PAGING = "PS3.18, 8.3.4.4"
_TAG = re.compile(r"[0-9A-Fa-f]{8}")
_COUNT = re.compile(r"[0-9]{1,9}")
_SHOWABLE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_FORMS = (Form(DICOM_JSON), Form(JSON), Form(DICOM_XML, multipart=True))
_MOST_VIEWED = 16
_CONTROLS = frozenset({"limit", "offset", "includefield", "fuzzymatching"})


@dataclass(frozen=True, slots=True)
class Search:
    """A search: `limit` is None when the client set none; `ignored` are the parameters that were passed over.

    `viewed` are the Study Instance UIDs on the page that asks.
    """

    level: Level
    matches: tuple[Match, ...]
    include: frozenset[str]
    limit: int | None
    offset: int
    ignored: tuple[str, ...]
    viewed: tuple[str, ...]
    form: Form
    gzip: bool


@dataclass(frozen=True, slots=True)
class Results:
    """Data sets in DICOM JSON, and what the client should know about them; `total` is None while there are more."""

    data_sets: Sequence[Mapping[str, Any]]
    total: int | None
    warnings: tuple[str, ...]
    form: Form
    gzip: bool


def decode_studies(request: Request) -> Search:
    """A search for studies. Raises Rejected: InvalidRequest with all findings, or NotAcceptable."""
    return _search(request, Level.STUDY)


def decode_series(request: Request, study: str | None = None) -> Search:
    """A search for series, of one study or of all; raises as `decode_studies`."""
    return _search(request, Level.SERIES, study)


def decode_instances(request: Request, study: str | None = None, series: str | None = None) -> Search:
    """A search for instances, of one series, of one study or of all; raises as `decode_studies`."""
    return _search(request, Level.INSTANCE, study, series)


def handle(search: Search, house: House, caller: Caller) -> Results:
    """What matches, at most `limits.qido_results` data sets."""
    most = house.settings.limits.qido_results
    limit = most if search.limit is None else min(search.limit, most)
    query = DicomQuery(search.level, search.matches, search.include, limit, search.offset, viewed=search.viewed)
    find = {
        Level.STUDY: house.imaging.find_studies,
        Level.SERIES: house.imaging.find_series,
        Level.INSTANCE: house.imaging.find_instances,
    }
    found = find[search.level](query, caller)
    agent = f"{house.settings.base_url}{ROOT}"
    notes = [f"The parameter {name} is not known and was ignored" for name in search.ignored]
    if found.note:
        notes.append(found.note)
    if found.more:
        notes.append("There are additional results that can be requested: ask for them with offset")
    # Nothing counts what is not shown: the cost of a page must not be that of all pages.
    total = None if found.more or (search.offset and not found.matches) else search.offset + len(found.matches)
    warnings = tuple(f'299 {agent} "{note}"' for note in notes)
    return Results(found.matches, total, warnings, search.form, search.gzip)


def encode(results: Results) -> Reply:
    """The list, `[]` in JSON when nothing matches; notes go into Warning (PS3.18, 8.3.4.4 and 10.6.3.2)."""
    headers = {"Warning": ", ".join(results.warnings)} if results.warnings else {}
    if results.total is not None:
        headers["X-Total-Count"] = str(results.total)
    if not results.form.multipart:
        return json_reply(results.form.media, (orjson.dumps(results.data_sets),), results.gzip, headers)
    if not results.data_sets:
        return Reply(204, headers=headers)
    documents = [native_model(data_set) for data_set in results.data_sets]
    reply = parts_reply(results.form, [Part("", "", len(each), (each,)) for each in documents])
    return replace(reply, headers={**reply.headers, **headers})


def _search(request: Request, level: Level, study: str | None = None, series: str | None = None) -> Search:
    checked_uids(study=study, series=series)
    form = best(accept_of(request.headers.get("Accept")), _FORMS)
    given = [(name, value) for name in request.args for value in request.args.getlist(name)]
    controls = {name: [value for key, value in given if key == name] for name in _CONTROLS}
    asked = [(name, value) for name, value in given if name not in _CONTROLS and _names_attribute(name)]
    within = [("StudyInstanceUID", study), ("SeriesInstanceUID", series)]
    asked += [(name, uid) for name, uid in within if uid is not None]

    findings: list[Finding] = []
    limit = _count("limit", controls["limit"], findings)
    offset = _count("offset", controls["offset"], findings)
    fuzzy = _flag("fuzzymatching", controls["fuzzymatching"], findings)
    matches = _unless_refused(findings, lambda: matches_of(level, asked, fuzzy=fuzzy))
    include = _unless_refused(findings, lambda: include_of(controls["includefield"]))
    if findings or matches is None or include is None:
        raise Rejected(findings)
    ignored = _shown(name for name, _ in given if name not in _CONTROLS and not _names_attribute(name))
    gzip = request.accept_encodings.quality("gzip") > 0
    return Search(level, matches, include, limit, offset or 0, ignored, _viewed(request.referrer), form, gzip)


def _viewed(referrer: str | None) -> tuple[str, ...]:
    """The studies that a viewer's page shows, by the parameter of its address (RAD TF-2, 4.106; OHIF's spelling)."""
    try:
        parameters = parse_qs(urlsplit(referrer or "").query, max_num_fields=64)
    except ValueError:
        return ()
    named = {name.lower(): values for name, values in parameters.items()}
    uids = (uid for values in named.get("studyinstanceuids", named.get("studyuid", [])) for uid in values.split(","))
    return tuple(filter(is_uid, uids))[:_MOST_VIEWED]


def _unless_refused(findings: list[Finding], read: Callable[[], T]) -> T | None:
    """What is read; None when it is refused, and then `findings` say why."""
    try:
        return read()
    except Rejected as rejected:
        findings += rejected.findings
        return None


def _names_attribute(name: str) -> bool:
    head = name.partition(".")[0]
    return bool(_TAG.fullmatch(head)) or tag_for_keyword(head) is not None


def _shown(names: Iterable[str]) -> tuple[str, ...]:
    """Names for a header, in which a client's own words must not make a new one."""
    return tuple(dict.fromkeys(name if _SHOWABLE.fullmatch(name) else "(unprintable)" for name in names))[:16]


def _count(name: str, values: list[str], findings: list[Finding]) -> int | None:
    if not values:
        return None
    if len(values) == 1 and _COUNT.fullmatch(values[0]):
        return int(values[0])
    findings.append(Finding(ErrorCode.InvalidRequest, name, "One number of at most 9 digits is expected", _PAGING))
    return None


def _flag(name: str, values: list[str], findings: list[Finding]) -> bool:
    value = values[0].lower() if len(values) == 1 else "" if values else "false"
    if value not in ("true", "false"):
        findings.append(Finding(ErrorCode.InvalidRequest, name, "true or false is expected", "PS3.18, 8.3.4.2"))
    return value == "true"


TRANSACTIONS = tuple(
    Transaction(
        id="RAD-129",
        name=f"QIDO-RS Search for {what}",
        actor="Imaging Document Responder",
        source="RAD TF-2, 4.129; PS3.18, 10.6",
        face=Http("GET", path),
        decode=decode,
        handle=handle,
        encode=encode,
    )
    for what, path, decode in (
        ("Studies", STUDIES, decode_studies),
        ("Study's Series", f"{STUDY}/series", decode_series),
        ("Study's Instances", f"{STUDY}/instances", decode_instances),
        ("Series' Instances", f"{SERIES}/instances", decode_instances),
        ("Series", f"{ROOT}/series", decode_series),
        ("Instances", f"{ROOT}/instances", decode_instances),
    )
)
