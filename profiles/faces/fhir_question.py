"""A FHIR search as it is asked: which parameters, and which page (FHIR R4, 3.1.1).

A transaction lists its parameters; `Question` reads a request by that list and gathers what is wrong with it, so that
all is told at once. A parameter that the list does not name is passed over, or refused under `Prefer: handling=strict`.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from flask import Request

from profiles.faces import fhir_values as values
from profiles.faces.fhir import is_id, require_json
from profiles.faces.fhir_search import Options, Search
from profiles.faces.fhir_values import Interval, Token
from registry.metadata.errors import ErrorCode, Finding, Rejected
from registry.queries import Page, ReferenceId

Q = TypeVar("Q")
T = TypeVar("T")

DEFAULT_COUNT: Final = 50
MOST_ALTERNATIVES: Final = 50
MOST_PARAMETERS: Final = 100
MOST_INCLUDES: Final = 5
MOST_CHARACTERS: Final = 4000

PATIENT: Final = frozenset({"patient", "subject"})
PATIENT_IDENTIFIER: Final = frozenset({
    f"{name}{by}identifier" for name in PATIENT for by in (".", ":")
})  # fmt: skip
_ABOUT_THE_ANSWER: Final = frozenset({"_count", "_after", "_include", "_summary", "_format", "_pretty", "_total"})
_FORM = "application/x-www-form-urlencoded"
_BOOK = "FHIR R4, 3.1.1"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class Question:
    """One search while it is read. The readers take what they can and note the rest; `finish` refuses if there is any.

    Raises:
        Rejected: not a form, not JSON that is asked for, or more than a search may have.
    """

    def __init__(
        self, request: Request, type: str, parameters: Sequence[tuple[str, str, str]], includes: Sequence[str] = ()
    ) -> None:
        require_json(request)
        self.type = type
        self.findings: list[Finding] = []
        self._known = {name for name, _, _ in parameters}
        self._includable = tuple(includes)
        self._strict = "handling=strict" in request.headers.get("Prefer", "").replace(" ", "").lower()
        self._posted = request.method == "POST"
        self._given: dict[str, list[str]] = {}
        for name, value in _pairs(request):
            self._take(name, value)

    def _take(self, name: str, value: str) -> None:
        if name in self._known or name in _ABOUT_THE_ANSWER:
            if len(values.alternatives(value)) > MOST_ALTERNATIVES:
                self.fault(name, f"at most {MOST_ALTERNATIVES} values may be ORed", ErrorCode.XDSStoredQueryParamNumber)
            elif value.strip():
                self._given.setdefault(name, []).append(value)
            return
        base = name.partition(":")[0].partition(".")[0]
        if base in self._known:
            # To pass over a modifier would answer another question than was asked (FHIR R4, 3.1.1.4.4).
            self.fault(name, f"{base} is known here, but not in this form", ErrorCode.XDSUnknownStoredQuery)
        elif self._strict:
            self.fault(name, "this parameter is not supported", ErrorCode.XDSUnknownStoredQuery)

    def fault(self, where: str, text: str, code: ErrorCode = ErrorCode.InvalidRequest) -> None:
        """Note that something is wrong with a parameter."""
        self.findings.append(Finding(code, where, text, _BOOK))

    def each(self, name: str, read: Callable[[str], T]) -> tuple[tuple[T, ...], ...]:
        """The values of a parameter as AND of ORs, read by `read`, which raises ValueError with a reason."""
        if name not in self._given:
            return ()
        found = []
        for text in self._given[name]:
            ors: list[T] = []
            for alternative in values.alternatives(text):
                try:
                    ors.append(read(alternative))
                except ValueError as error:
                    self.fault(name, str(error))
            found.append(tuple(ors))
        return tuple(found)

    def has(self, name: str) -> bool:
        """Whether the parameter was given."""
        return name in self._given

    def tokens(self, name: str) -> tuple[tuple[Token, ...], ...]:
        """Tokens, AND of ORs."""
        return self.each(name, values.token)

    def reference_ids(self, *names: str, kind: str | None = None) -> tuple[tuple[ReferenceId, ...], ...]:
        """Identifiers under any of these names, AND of ORs."""
        return tuple(
            ors for name in names for ors in self.each(name, lambda t: values.reference_id(values.token(t), kind))
        )

    def uids(self, name: str) -> tuple[tuple[str, ...], ...]:
        """Bare UIDs, AND of ORs."""
        return self.each(name, lambda text: values.uid(values.token(text)))

    def code_keys(self, *names: str) -> tuple[tuple[str, ...], ...]:
        """Keys `code^^scheme` under any of these names, AND of ORs; an empty scheme is open."""
        ands = (ors for name in names for ors in self.each(name, lambda text: values.code_keys(values.token(text))))
        return tuple(tuple(key for keys in ors for key in keys) for ors in ands)

    def one_of(self, name: str, ands: tuple[tuple[T, ...], ...]) -> tuple[T, ...]:
        """An AND of ORs over something that a record has once: the values that are in all of them."""
        if not ands:
            return ()
        common = tuple(v for v in ands[0] if all(v in ors for ors in ands[1:]))
        if not common and all(ands):
            self.fault(name, "no record has more than one of these", ErrorCode.XDSStoredQueryParamNumber)
        return common

    def codes(self, *names: str) -> tuple[str, ...]:
        """Keys of a coded element that a record has once."""
        return self.one_of(names[0], self.code_keys(*names))

    def once(self, name: str, read: Callable[[str], T]) -> tuple[T, ...]:
        """Values ORed, of a parameter that may not be repeated."""
        ands = self.each(name, read)
        if len(ands) > 1:
            self.fault(name, "may be given once", ErrorCode.XDSStoredQueryParamNumber)
        return ands[0] if ands else ()

    def strings(self, name: str) -> tuple[str, ...]:
        """Beginnings of a text, ORed; a repeated parameter is refused."""
        return self.once(name, values.unescaped)

    def interval(self, *names: str) -> Interval:
        """The moments that all dates under these names leave."""
        left = Interval()
        for name in names:
            for ors in self.each(name, values.interval):
                if len(ors) > 1:
                    self.fault(
                        name, "a range is given by two parameters, not by OR", ErrorCode.XDSStoredQueryParamNumber
                    )
                elif ors:
                    left = left.both(ors[0])
        return left

    def updated(self) -> tuple[float | None, float | None]:
        """`updated_from` and `updated_to` of a query, from _lastUpdated."""
        return self.interval("_lastUpdated").seconds

    def ids(self) -> tuple[str, ...]:
        """The logical ids that _id names."""
        return self.one_of("_id", self.each("_id", _logical_id))

    def references(self, name: str, type: str) -> tuple[tuple[str, ...], ...]:
        """References to `type`, AND of ORs, as `fhir_values.reference` gives them."""
        return self.each(name, lambda text: values.reference(text, type))

    def patients(self) -> tuple[tuple[str, ...], ...]:
        """References to the patients that the search names, AND of ORs."""
        return tuple(ors for name in sorted(PATIENT) for ors in self.references(name, "Patient"))

    def patient_ids(self) -> tuple[str, ...] | None:
        """The patient that is named by identifier, as canonical CX text; None when none is.

        One alone: the link to the next page names it by its FHIR id.
        """
        found = {cx for name in sorted(PATIENT_IDENTIFIER) for ors in self.each(name, _patient) for cx in ors}
        if len(found) > 1:
            text = "only one patient may be named by identifier in a search"
            self.fault("patient.identifier", text, ErrorCode.XDSResultNotSinglePatient)
        return tuple(found) or None

    def finish(
        self, query: Q, patients: tuple[tuple[str, ...], ...] = (), personal: frozenset[str] = frozenset()
    ) -> Search[Q]:
        """The search.

        Args:
            query: the registry's question.
            patients: references to patients, AND of ORs.
            personal: parameters that tell who a patient is; no link repeats them.

        Raises:
            Rejected: everything that is wrong with the request.
        """
        search = Search(query, self._options(personal), patients)
        if self.findings:
            raise Rejected(self.findings)
        return search

    def _options(self, personal: frozenset[str]) -> Options:
        left_out = PATIENT_IDENTIFIER | personal | {"_format", "_pretty"}
        again = tuple((name, value) for name, texts in self._given.items() if name not in left_out for value in texts)
        size = self._count()
        summary = self._last("_summary") or "false"
        if self._strict and summary not in ("count", "false"):
            self.fault("_summary", "count and false are supported", ErrorCode.XDSUnknownStoredQuery)
        return Options(
            type=self.type,
            page=Page(size or 1, self._after()),
            count_only=size == 0 or summary == "count",
            includes=self._includes(),
            again=again,
            hidden=any(name in personal for name in self._given),
            by_patient=any(name in PATIENT_IDENTIFIER for name in self._given),
        )

    def _last(self, name: str) -> str | None:
        return self._given[name][-1].strip() if name in self._given else None

    def _count(self) -> int:
        text = self._last("_count")
        if text is None:
            return DEFAULT_COUNT
        if not (text.isascii() and text.isdigit() and len(text) <= 18):
            self.fault("_count", "a count is a whole number, 0 or more")
            return 0
        return int(text)

    def _after(self) -> tuple[float, str] | None:
        text = self._last("_after")
        if text is None:
            return None
        time, _, id = text.partition("~")
        try:
            moment = float(time) if len(time) <= 32 else -1.0
        except ValueError:
            moment = -1.0
        if not 0 <= moment < 1e12 or not is_id(id):
            self.fault("_after", "follow the next link as it was given")
            return None
        return moment, id

    def _includes(self) -> tuple[str, ...]:
        asked = [value.strip() for value in self._given.get("_include", ())]
        if len(asked) > MOST_INCLUDES:
            self.fault("_include", f"at most {MOST_INCLUDES} may be asked for", ErrorCode.XDSStoredQueryParamNumber)
        for value in asked:
            if self._strict and value not in self._includable:
                self.fault(
                    "_include", f"supported: {', '.join(self._includable) or 'none'}", ErrorCode.XDSUnknownStoredQuery
                )
        return tuple(dict.fromkeys(value for value in asked if value in self._includable))


def _logical_id(text: str) -> str:
    if not is_id(text):
        raise ValueError("an id has 1 to 64 letters, digits, dashes and dots")
    return text


def _patient(text: str) -> str:
    return values.patient_cx(values.token(text))


def _pairs(request: Request) -> list[tuple[str, str]]:
    """The parameters of URL and, for POST, of the form (FHIR R4, 3.1.1.2: both count)."""
    pairs = list(request.args.items(multi=True))
    if request.method == "POST":
        if request.mimetype not in ("", _FORM):
            raise Rejected.because(
                ErrorCode.UnsupportedMediaType, "Content-Type", f"a search is posted as {_FORM}", _BOOK
            )
        pairs += request.form.items(multi=True)
    if len(pairs) > MOST_PARAMETERS:
        text = f"at most {MOST_PARAMETERS} parameters"
        raise Rejected.because(ErrorCode.XDSStoredQueryParamNumber, "", text, "limit of this server")
    for name, value in pairs:
        if len(name) + len(value) > MOST_CHARACTERS:
            raise Rejected.because(
                ErrorCode.TooLarge, name[:50], f"at most {MOST_CHARACTERS} characters", "limit of this server"
            )
        if _CONTROL.search(name) or _CONTROL.search(value):
            raise Rejected.because(ErrorCode.InvalidRequest, name[:50], "holds a control character", _BOOK)
    return pairs
