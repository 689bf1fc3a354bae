"""The affinity domain's value sets: which codes an attribute may have, where the domain says so (ITI TF-3, 4.2.3.1.2).

Off unless `[affinity_domain.codes]` lists an attribute; an attribute that is not listed takes any code.
"""

from collections.abc import Iterator, Mapping, Set

from registry.metadata.errors import ErrorCode, Finding
from registry.metadata.model import DocumentEntry, Folder, RegistryObject, Submission, SubmissionSet

# Attribute as configured and as its sender knows it -> the kind of object it is of, and its name in the model.
CODED: dict[str, tuple[type, str, str]] = {
    "classCode": (DocumentEntry, "class_code", "ITI TF-3, 4.2.3.2.3"),
    "confidentialityCode": (DocumentEntry, "confidentiality_codes", "ITI TF-3, 4.2.3.2.5"),
    "eventCodeList": (DocumentEntry, "event_codes", "ITI TF-3, 4.2.3.2.8"),
    "formatCode": (DocumentEntry, "format_code", "ITI TF-3, 4.2.3.2.9"),
    "healthcareFacilityTypeCode": (DocumentEntry, "healthcare_facility_type_code", "ITI TF-3, 4.2.3.2.11"),
    "mimeType": (DocumentEntry, "mime_type", "ITI TF-3, 4.2.3.2.15"),
    "practiceSettingCode": (DocumentEntry, "practice_setting_code", "ITI TF-3, 4.2.3.2.17"),
    "typeCode": (DocumentEntry, "type_code", "ITI TF-3, 4.2.3.2.25"),
    "contentTypeCode": (SubmissionSet, "content_type_code", "ITI TF-3, 4.2.3.3.4"),
    "codeList": (Folder, "codes", "ITI TF-3, 4.2.3.4.2"),
}
SHOWN = 12  # codes of a list that a finding spells out


def findings(submission: Submission, accepted: Mapping[str, Set[str]], code: ErrorCode) -> Iterator[Finding]:
    """The codes of `submission` that its affinity domain does not know.

    `accepted` is attribute -> codes as `code^^scheme`, and media types for mimeType; findings carry `code`.
    """
    for attribute, known in accepted.items():
        kind, name, source = CODED[attribute]
        for thing in submission.holders():
            if isinstance(thing, kind):
                for key in _keys(thing, name):
                    if key not in known:
                        yield Finding(code, f"{thing.id}.{attribute}", _text(key, known), source)


def _keys(thing: RegistryObject, name: str) -> Iterator[str]:
    value = getattr(thing, name)
    for one in value if isinstance(value, tuple) else (value,):
        if one:
            yield one.lower() if isinstance(one, str) else one.key


def _text(key: str, known: Set[str]) -> str:
    listed = ", ".join(sorted(known)[:SHOWN])
    more = f" and {len(known) - SHOWN} more" if len(known) > SHOWN else ""
    return f"{key} is not in this affinity domain's list: {listed}{more}"
