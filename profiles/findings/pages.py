"""`/findings`: what contradicts what is held, in a browser on this machine; decisions are made by `xdsi findings`."""

from collections.abc import Iterator
from typing import Any, Final

from flask import Flask, Response, abort, request
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from profiles.faces.caller import caller_of
from profiles.findings import listing
from profiles.house import House
from profiles.private_pages import admit, page
from registry.audit import READ, AuditRecord
from registry.metadata.errors import Rejected
from repository.findings import OPEN, WORDS, FindingKind, Findings, HeldFinding

SHOWN: Final = 100  # findings on the list
TRANSACTION: Final = "findings"


def register(app: Flask, house: House) -> None:
    """Add the list and the page of one finding."""

    def several() -> Response:
        admit(house, TRANSACTION)
        everything, kind = request.args.get("all") == "1", request.args.get("kind", "")
        found = house.imaging.findings.find(
            state=None if everything else OPEN,
            kind=FindingKind(kind) if kind in set(FindingKind) else None,
            study_uid=request.args.get("study") or None,
            limit=SHOWN,
        )
        _audited(house, found)
        counts = house.imaging.findings.counts()
        return page(
            "findings_list.html",
            findings=found,
            kinds=[(one, counts.get((one, OPEN), 0)) for one in FindingKind],
            chosen=kind,
            everything=everything,
            when=listing.when,
            words=WORDS,
            most=SHOWN,
        )

    def single(id_: str) -> Response:
        admit(house, TRANSACTION)
        try:
            found = house.imaging.findings.get(id_)
        except Rejected:
            abort(404)
        _audited(house, [found])
        return page("findings_one.html", finding=found, words=WORDS, facts=listing.facts(found))

    app.add_url_rule("/findings", "findings list", several)
    app.add_url_rule("/findings/<id_>", "findings one", single)


class OpenFindings(Collector):
    """The metric `xdsi_findings_open`: how many wait for a decision, by kind. None while the database is away."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings

    def collect(self) -> Iterator[Any]:
        """Ask the database."""
        try:
            counts = self._findings.counts()
        except Rejected:
            return
        gauge = GaugeMetricFamily("xdsi_findings_open", "Findings that wait for a decision", labels=("kind",))
        for kind in FindingKind:
            gauge.add_metric((str(kind),), counts.get((kind, OPEN), 0))
        yield gauge

    def describe(self) -> Iterator[Any]:
        """Nothing, so that registering asks no database."""
        return iter(())


def _audited(house: House, found: list[HeldFinding]) -> None:
    patients = tuple(sorted({patient for one in found for patient in one.patients if "&" in patient}))
    ids = tuple(one.id for one in found)
    house.audit.keep(AuditRecord(caller_of(request, TRANSACTION), READ, patients, ids, count=len(ids)))
