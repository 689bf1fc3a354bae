"""Data sets of DIMSE messages to and from the DICOM JSON model (PS3.7 6.3, PS3.18 F).

What comes is read by the same bounded walk as every object; what goes is ours.
"""

import io
from typing import Any

import orjson
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian
from pynetdicom.dsutils import encode

from profiles.faces.dimse import Reference
from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.part10 import is_uid
from repository.imaging.walk import EXPLICIT_BIG, EXPLICIT_LITTLE, IMPLICIT_LITTLE, Limits, Walk

HEAD = 32 * 1024
UTF_8 = "ISO_IR 192"
LIMITS = Limits()
TRANSACTION_UID, REFERENCES = "00081195", "00081199"
CLASS, INSTANCE = "00081150", "00081155"
COMMITMENT = "PS3.4 table J.3-1"


def read(data: bytes, transfer_syntax_uid: str) -> dict[str, Any]:
    """A data set as DICOM JSON.

    Raises:
        Rejected: DicomUnreadable.
    """
    encoding = EXPLICIT_LITTLE
    if transfer_syntax_uid == ImplicitVRLittleEndian:
        encoding = IMPLICIT_LITTLE
    elif transfer_syntax_uid == ExplicitVRBigEndian:
        encoding = EXPLICIT_BIG
    return Walk(io.BytesIO(data), len(data), LIMITS, data[:HEAD]).data_set(0, encoding)


def written(json: dict[str, Any], transfer_syntax_uid: str) -> io.BytesIO:
    """A data set of our own, encoded; in UTF-8 where it needs more than ASCII and does not say so itself.

    Raises:
        ValueError: it cannot be encoded.
    """
    data_set = Dataset.from_json(json)
    if "SpecificCharacterSet" not in data_set and not orjson.dumps(json).isascii():
        data_set.SpecificCharacterSet = UTF_8
    return encoded(data_set, transfer_syntax_uid)


def encoded(data_set: Dataset, transfer_syntax_uid: str) -> io.BytesIO:
    """See `written`."""
    big = transfer_syntax_uid == ExplicitVRBigEndian
    data = encode(data_set, transfer_syntax_uid == ImplicitVRLittleEndian, not big)
    if data is None:
        raise ValueError("a data set cannot be encoded")
    return io.BytesIO(data)


def commitment(json: dict[str, Any]) -> tuple[str, tuple[Reference, ...]]:
    """The Transaction UID and the references of an N-ACTION.

    Raises:
        Rejected: InvalidRequest: one of them is missing or is no UID.
    """

    def uid(item: dict[str, Any], tag: str) -> str:
        values = item.get(tag, {}).get("Value") or [""]
        if not (isinstance(values[0], str) and is_uid(values[0])):
            where = f"({tag[:4]},{tag[4:]})"
            raise Rejected.because(ErrorCode.InvalidRequest, where, f"{where} must be a UID", COMMITMENT)
        return values[0]

    items = json.get(REFERENCES, {}).get("Value") or []
    if not items:
        text = "(0008,1199) Referenced SOP Sequence names no instance"
        raise Rejected.because(ErrorCode.InvalidRequest, "(0008,1199)", text, COMMITMENT)
    return uid(json, TRANSACTION_UID), tuple(Reference(uid(one, CLASS), uid(one, INSTANCE)) for one in items)
