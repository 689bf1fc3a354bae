"""DICOM data sets in XML: the Native DICOM Model (PS3.19, A.1), written from the DICOM JSON Model (PS3.18, F)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydicom.datadict import keyword_for_tag

from profiles.faces.xml import text
from registry.metadata.urn import Namespace

DICOM_XML: Final = "application/dicom+xml"


def native_model(dataset: Mapping[str, Any]) -> bytes:
    """The UTF-8 document of a data set in DICOM JSON that has no person names and no binary values."""
    body = b"".join(_attributes(dataset))
    opening = b'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="%s" xml:space="preserve">'
    return opening % text(Namespace.NATIVE_DICOM) + body + b"</NativeDicomModel>"


def _attributes(dataset: Mapping[str, Any]) -> Iterator[bytes]:
    for tag, attribute in sorted(dataset.items()):
        keyword = keyword_for_tag(int(tag, 16))
        named = b' keyword="%s"' % text(keyword) if keyword else b""
        yield b'<DicomAttribute tag="%s" vr="%s"%s>' % (text(tag), text(attribute["vr"]), named)
        for number, value in enumerate(attribute.get("Value", ()), 1):
            if isinstance(value, Mapping):
                yield b'<Item number="%d">%s</Item>' % (number, b"".join(_attributes(value)))
            else:
                yield b'<Value number="%d">%s</Value>' % (number, text(str(value)))
        yield b"</DicomAttribute>"
