"""Data sets of which key object documents are made: code items, references, content items (PS3.3 8.8, C.17.3)."""

from pydicom.dataset import Dataset

from registry.metadata.model import Code, Instance
from repository.imaging import attributes

SH_LENGTH = 16


def item(**elements: object) -> Dataset:
    """A data set with these attributes, by keyword."""
    data = Dataset()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    return data


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A code item; `scheme` is a designator."""
    data = item(CodingSchemeDesignator=scheme, CodeMeaning=meaning)
    setattr(data, "CodeValue" if len(value) <= SH_LENGTH else "LongCodeValue", value)
    return data


def coded(found: Code) -> Dataset | None:
    """A code item of a Code; None where its scheme has no designator that DICOM could write."""
    scheme = attributes.designator(found.scheme)
    return code(found.code, scheme, found.display or found.code) if len(scheme) <= SH_LENGTH else None


def reference(instance: Instance) -> Dataset:
    """A reference to an instance (PS3.3 10.8)."""
    return item(ReferencedSOPClassUID=instance.sop_class_uid, ReferencedSOPInstanceUID=instance.sop_instance_uid)


def authority(oid: str) -> Dataset:
    """An issuer (PS3.3 10.14)."""
    return item(UniversalEntityID=oid, UniversalEntityIDType="ISO")
