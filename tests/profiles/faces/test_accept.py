"""Accept headers as clients send them, and as attackers do."""

import time

import pytest

from profiles.faces.accept import MOST_RANGES, Form, accept_of, best, quality
from registry.metadata.errors import ErrorCode, Rejected

DICOM = "application/dicom"
JPEG = "1.2.840.10008.1.2.4.50"
STORED = Form(DICOM, True, JPEG)
BARE = Form(DICOM, False, JPEG)
OCTETS = Form("application/octet-stream", True, JPEG, by_name=True)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "*/*",
        "multipart/related",
        "multipart/*",
        'multipart/related; type="application/dicom"',
        "multipart/related;type=application/dicom",
        "Multipart/Related; Type=APPLICATION/DICOM",
        'multipart/related; type="application/dicom"; transfer-syntax=*',
        f'multipart/related; type="application/dicom"; transfer-syntax={JPEG}',
        f'multipart/related; transfer-syntax="{JPEG}"; type="application/*"',
        "image/png, multipart/related; type=application/dicom; q=0.1",
        "broken, ;, multipart/related",
    ],
)
def test_multipart_dicom_is_admitted(header: str | None) -> None:
    assert quality(accept_of(header), STORED) > 0


@pytest.mark.parametrize(
    "header",
    [
        "text/html",
        "application/dicom",
        'multipart/related; type="application/octet-stream"',
        'multipart/related; type="application/dicom"; transfer-syntax=1.2.840.10008.1.2.1',
        'multipart/related; type="application/dicom"; q=0',
        "*/*; q=0",
        "*/*, multipart/related; type=application/dicom; q=0",
        "*/*; q=nonsense",
        "broken",
        'multipart/related; type="application/dicom',
    ],
)
def test_multipart_dicom_is_not_admitted(header: str) -> None:
    assert quality(accept_of(header), STORED) == 0


def test_the_more_precise_range_decides() -> None:
    accept = accept_of(f"application/dicom; transfer-syntax={JPEG}; q=0.2, application/dicom; q=0.9")
    assert quality(accept, BARE) == 0.2


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("*/*", STORED),
        ("application/dicom, multipart/related; type=application/dicom; q=0.5", BARE),
        ("application/dicom, multipart/related; type=application/dicom", STORED),
    ],
)
def test_the_best_liked_form_is_chosen(header: str, chosen: Form) -> None:
    assert best(accept_of(header), (STORED, BARE)) == chosen


@pytest.mark.parametrize(("syntax", "given"), [("*", True), (JPEG, True), ("1.2.3", False), ("", False)])
def test_compressed_octets_are_only_for_those_who_name_the_transfer_syntax(syntax: str, given: bool) -> None:
    named = f"; transfer-syntax={syntax}" if syntax else ""
    accept = accept_of(f"multipart/related; type=application/octet-stream{named}")
    assert bool(quality(accept, OCTETS)) is given


def test_a_refusal_names_what_can_be_given() -> None:
    with pytest.raises(Rejected) as refused:
        best(accept_of("text/html"), (STORED,))
    (finding,) = refused.value.findings
    assert finding.code is ErrorCode.NotAcceptable
    assert str(STORED) in finding.text


@pytest.mark.parametrize(
    "header",
    [
        ", ".join(["application/dicom"] * (MOST_RANGES + 1)),
        ", ".join(f"type/{number}" for number in range(10_000)),
        '"' * 10_000,
        ";" * 8192,
        "," * 100,
        'multipart/related; type="' + "\\" * 8000,
    ],
)
def test_a_flood_of_ranges_is_refused_at_once(header: str) -> None:
    begun = time.process_time()
    with pytest.raises(Rejected) as refused:
        best(accept_of(header), (STORED,))
    assert refused.value.status == 406
    assert time.process_time() - begun < 0.05


def test_as_many_ranges_as_are_allowed_are_read() -> None:
    header = ", ".join([*(f"type/{number}" for number in range(MOST_RANGES - 1)), "application/dicom"])
    assert best(accept_of(header), (BARE,)) == BARE
