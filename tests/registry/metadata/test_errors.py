"""Error codes as rows, and rejections that tell everything at once."""

import pytest

from registry.metadata.errors import ErrorCode, Finding, Rejected

ISSUES = set(
    [
        "invalid",
        "structure",
        "required",
        "value",
        "invariant",
        "security",
        "login",
        "unknown",
        "expired",
        "forbidden",
        "suppressed",
        "processing",
        "not-supported",
        "duplicate",
        "multiple-matches",
        "not-found",
        "deleted",
        "too-long",
        "code-invalid",
        "extension",
        "too-costly",
        "business-rule",
        "conflict",
        "transient",
        "lock-error",
        "no-store",
        "exception",
        "timeout",
        "incomplete",
        "throttled",
        "informational",
    ]
)
WARNING = Finding(ErrorCode.XDSExtraMetadataNotSaved, "", "left out", "ITI TF-2, 3.42", warning=True)
MISSING = Finding(ErrorCode.XDSRegistryMetadataError, "Document01.hash", "is required", "ITI TF-3, 4.2.3.2.10")


def test_no_two_codes_are_one():
    """Equal rows silently become one member: the second name would go out as the first."""
    assert [name for name, member in ErrorCode.__members__.items() if member.name != name] == []


@pytest.mark.parametrize("code", ErrorCode, ids=lambda code: code.name)
def test_every_code_can_be_rendered_on_every_wire(code):
    assert code.issue in ISSUES, "FHIR R4 has no such issue-type"
    assert 200 <= code.status <= 599
    assert code.value.text.endswith(".")
    assert code.wire


def test_a_wire_name_of_its_own():
    assert ErrorCode.WadoTransferSyntax.wire.startswith("urn:dicom:wado:")
    assert ErrorCode.XDSUnknownPatientId.wire == "XDSUnknownPatientId"


def test_a_finding_says_where_what_and_by_which_rule():
    assert str(MISSING) == "Document01.hash: is required (ITI TF-3, 4.2.3.2.10)"
    assert str(WARNING) == "left out (ITI TF-2, 3.42)"


def test_the_gravest_finding_gives_the_status():
    conflict = Finding(ErrorCode.XDSNonIdenticalHash, "", "", "")
    assert Rejected([conflict, MISSING, WARNING]).status == 422
    assert Rejected([conflict, WARNING]).status == 409
    assert str(Rejected(iter([MISSING, WARNING]))) == f"{MISSING}; {WARNING}"
