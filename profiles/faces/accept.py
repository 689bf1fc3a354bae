"""Accept: which of the forms that can be given a client likes best (RFC 9110, 12.5.1; DICOM PS3.18, 8.7).

Media ranges of DICOMweb have parameters of weight: `multipart/related; type="application/dicom"` wraps parts of another
type, and `transfer-syntax` says how a part may be encoded, `*` meaning as it is stored.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from profiles.faces.multipart import parameters
from registry.metadata.errors import ErrorCode, Rejected

MOST_RANGES: Final = 32
"""Media ranges that are read of one header; each costs a comparison with each form."""

_MOST_CHARACTERS = 8192
_RANGE = re.compile(r'(?:[^,"]++|"(?:[^"\\]++|\\.)*+")++')
_QUALITY = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_SOURCE = "RFC 9110, 12.5.1; PS3.18, 8.7"


@dataclass(frozen=True, slots=True)
class Form:
    """A form that an answer can be given in.

    `media` is the type of the content, or of each part when it is `multipart`; `transfer_syntax` is a DICOM UID, or ""
    for what has none. A form `by_name` is given only to those who name its transfer syntax, or `*`.
    """

    media: str
    multipart: bool = False
    transfer_syntax: str = ""
    by_name: bool = False

    def __str__(self) -> str:
        shown = f'multipart/related; type="{self.media}"' if self.multipart else self.media
        return f"{shown}; transfer-syntax={self.transfer_syntax}" if self.transfer_syntax else shown


@dataclass(frozen=True, slots=True)
class Range:
    """A media range that a client takes. `multipart` is None for either way; `transfer_syntax` "" when not given."""

    media: str
    multipart: bool | None
    transfer_syntax: str
    quality: float

    def admits(self, form: Form) -> bool:
        """Whether `form` lies within the range."""
        return (
            self.multipart in (None, form.multipart)
            and _within(form.media, self.media)
            and (self.transfer_syntax in ("*", form.transfer_syntax) if self.transfer_syntax else not form.by_name)
        )

    @property
    def precision(self) -> tuple[int, bool, int]:
        """Of two ranges that admit a form, the more precise one decides."""
        named = 0 if not self.transfer_syntax else 1 if self.transfer_syntax == "*" else 2
        return (2 - self.media.count("*"), self.multipart is not None, named)


Accept: TypeAlias = tuple[Range, ...]

ANYTHING: Final[Accept] = (Range("*/*", None, "", 1.0),)


def accept_of(header: str | None) -> Accept:
    """The ranges of an Accept header; one that is missing or blank takes everything. Unreadable ranges are passed over.

    Raises Rejected (NotAcceptable) when it has more than `MOST_RANGES` ranges.
    """
    if not header or not header.strip():
        return ANYTHING
    texts = _RANGE.findall(header) if len(header) <= _MOST_CHARACTERS else []
    if not 0 < len(texts) <= MOST_RANGES:
        text = f"Accept must name 1 to {MOST_RANGES} media ranges in at most {_MOST_CHARACTERS} characters"
        raise Rejected.because(ErrorCode.NotAcceptable, "Accept", text, "limit of this server")
    return tuple(filter(None, map(_range, texts)))


def quality(accept: Accept, form: Form) -> float:
    """How much `form` is liked, 0 (not at all) to 1."""
    admitting = [each for each in accept if each.admits(form)]
    return max(admitting, key=lambda each: (each.precision, each.quality)).quality if admitting else 0.0


def best(accept: Accept, forms: Sequence[Form]) -> Form:
    """The form that is liked best, the earlier one of equals.

    Raises Rejected (NotAcceptable), naming the forms, when none is liked.
    """
    found = max(forms, key=lambda form: quality(accept, form))
    if not quality(accept, found):
        raise not_acceptable(forms)
    return found


def not_acceptable(forms: Iterable[Form]) -> Rejected:
    """The refusal of an Accept header that admits none of `forms`."""
    given = ", ".join(dict.fromkeys(map(str, forms)))
    return Rejected.because(ErrorCode.NotAcceptable, "Accept", f"What can be given here: {given}", _SOURCE)


def _within(media: str, pattern: str) -> bool:
    return pattern in ("*/*", media) or (pattern.endswith("/*") and media.startswith(pattern[:-1]))


def _range(text: str) -> Range | None:
    try:
        media, given = parameters(text.strip())
    except Rejected:
        return None
    weight = given.get("q", "1")
    if not _QUALITY.fullmatch(weight):
        return None
    syntax = given.get("transfer-syntax", "")
    if media in ("multipart/related", "multipart/*"):
        return Range(given.get("type", "*/*").lower(), True, syntax, float(weight))
    return Range(media, None if media == "*/*" else False, syntax, float(weight))
