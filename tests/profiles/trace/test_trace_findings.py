"""Findings and outcomes, as read from answers."""

import pytest

from profiles.faces import hl7v3
from profiles.trace import findings, readable
from registry.metadata.errors import ErrorCode, Finding


@pytest.mark.parametrize(
    ("status", "severities", "expected"),
    [(200, [], "ok"), (200, ["warning"], "ok"), (200, ["error"], "refused"), (404, [], "refused"), (500, [], "failed")],
)
def test_outcomes(status: int, severities: list[str], expected: str) -> None:
    told = [findings.Told("a", "b", severity=severity) for severity in severities]
    assert findings.outcome(status, told) == expected


def test_a_warning_is_shown_and_no_failure() -> None:
    text = (
        '<rs:RegistryError errorCode="A" codeContext="x.y: b (c) (ITI TF-3, 4.2)" location="x.y" severity="u:Warning"/>'
    )
    (one,) = findings.told(200, {"parts": [{"type": "application/soap+xml", "text": text}]})
    assert (one.code, one.where, one.text, one.source, one.severity) == (
        "A",
        "x.y",
        "b (c)",
        "ITI TF-3, 4.2",
        "warning",
    )


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"issue": 1}', "<a", "null"])
def test_answers_without_findings(text: str) -> None:
    for kind in ("application/fhir+json", "application/soap+xml"):
        assert findings.told(200, {"parts": [{"type": kind, "text": text}]}) == []


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (7_000_000_000_000, "7000.0 GB")]
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert readable.size(count) == words


def test_what_cannot_be_laid_out_is_shown_as_it_came() -> None:
    for kind, text in (("application/json", "{half"), ("text/xml", "<a>"), ("text/xml", "<!DOCTYPE a><a/>")):
        assert readable.pretty({"type": kind, "text": text}) == text
    assert readable.pretty({"type": "application/fhir+json", "text": '{"a":"å"}'}) == '{\n  "a": "å"\n}'


def test_an_acknowledgement_tells_too() -> None:
    wrong = Finding(ErrorCode.Incomplete, "patient.id", "one expected (at least), 0 sent", "ITI TF-2, 3.44.4.1.2")
    text = hl7v3.acknowledgement(None, "1.2", [wrong]).decode()
    (one,) = findings.told(200, {"parts": [{"type": "application/soap+xml", "text": text}]})
    assert (one.where, one.text, one.source) == (wrong.where, wrong.text, wrong.source)
    assert one.code == "Incomplete"
    assert findings.outcome(200, [one]) == "refused"
