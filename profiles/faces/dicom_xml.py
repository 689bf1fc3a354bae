"""DICOM data sets in XML: the Native DICOM Model (PS3.19, A.1), written from the DICOM JSON Model (PS3.18, F)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydicom.datadict import keyword_for_tag

from profiles.faces.xml import text
from registry.metadata.urn import Namespace

DICOM_XML: Final = "application/dicom+xml"
GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")
COMPONENTS: Final = ("FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix")


def native_model(dataset: Mapping[str, Any]) -> bytes:
    """The UTF-8 document of a data set in DICOM JSON."""
    body = b"".join(_attributes(dataset))
    opening = b'<?xml version="1.0" encoding="UTF-8"?>\n<NativeDicomModel xmlns="%s" xml:space="preserve">'
    return opening % text(Namespace.NATIVE_DICOM) + body + b"</NativeDicomModel>"


def _attributes(dataset: Mapping[str, Any]) -> Iterator[bytes]:
    for tag, attribute in sorted(dataset.items()):
        keyword = keyword_for_tag(int(tag, 16))
        named = b' keyword="%s"' % text(keyword) if keyword else b""
        vr = attribute["vr"]
        yield b'<DicomAttribute tag="%s" vr="%s"%s>' % (text(tag), text(vr), named)
        for number, value in enumerate(attribute.get("Value", ()), 1):
            if value is None:
                continue  # its number is missing, which says that it is empty (PS3.19, A.1.6)
            if vr == "PN":
                yield b'<PersonName number="%d">%s</PersonName>' % (number, b"".join(_groups(value)))
            elif isinstance(value, Mapping):
                yield b'<Item number="%d">%s</Item>' % (number, b"".join(_attributes(value)))
            else:
                yield b'<Value number="%d">%s</Value>' % (number, text(str(value)))
        if "InlineBinary" in attribute:
            yield b"<InlineBinary>%s</InlineBinary>" % text(attribute["InlineBinary"])
        if "BulkDataURI" in attribute:
            yield b'<BulkData uri="%s"/>' % text(attribute["BulkDataURI"])
        yield b"</DicomAttribute>"


def _groups(name: Mapping[str, str]) -> Iterator[bytes]:
    """The component groups of a person's name, and the components of each (PS3.5, 6.2.1.1)."""
    for group in GROUPS:
        if components := name.get(group, ""):
            parts = zip(COMPONENTS, components.split("^"), strict=False)
            inner = b"".join(b"<%s>%s</%s>" % (text(n), text(part), text(n)) for n, part in parts if part)
            yield b"<%s>%s</%s>" % (text(group), inner, text(group))
