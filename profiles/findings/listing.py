"""Findings and versions of demographics on a terminal; what is shown is audited first."""

from datetime import UTC, datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from profiles.house import House
from registry.access import Caller
from registry.audit import READ, AuditRecord
from repository.findings import OPEN, WORDS, FindingKind, HeldFinding

WIDE = 200  # columns where no terminal says how many it has
COLOURS = {OPEN: "bold red"}


def listed(house: House, caller: Caller, everything: bool, kind: str, study: str, count: int) -> None:
    """Print findings, the open ones first."""
    kinds = [one for one in FindingKind if kind.casefold() in one] if kind else [None]
    found = [
        one
        for each in kinds
        for one in house.imaging.findings.find(
            state=None if everything else OPEN, kind=each, study_uid=study or None, limit=count
        )
    ][:count]
    _audited(house, caller, found)
    console = _console()
    if not found:
        console.print("There are no findings." if everything else "There are no open findings.")
        return
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("id", "last seen", "times", "state", "kind", "patients", "study or object"):
        table.add_column(name, justify="right" if name == "times" else "left", no_wrap=name != "kind")
    for one in found:
        state = f"[{COLOURS[one.state]}]{one.state}[/]" if one.state in COLOURS else one.state
        patients = "\n".join(one.patients)
        table.add_row(
            one.id,
            when(one.last_seen),
            str(one.times),
            state,
            one.kind,
            *map(escape, (patients, one.study_uid or one.object_uid)),
        )
    console.print(table)


def shown(house: House, caller: Caller, id_: str) -> None:
    """Print one finding. Raises Rejected: NotFound."""
    one = house.imaging.findings.get(id_)
    _audited(house, caller, [one])
    console = _console()
    console.print(f"[bold]{one.id}[/] {WORDS[one.kind]}, {one.state}")
    for name, value in facts(one):
        console.print(f"  {name:<12}{value}", markup=False, highlight=False)


def facts(one: HeldFinding) -> list[tuple[str, str]]:
    """What is known of a finding, as names and values."""
    known = [
        ("what", one.text),
        ("patients", ", ".join(one.patients)),
        ("study", one.study_uid),
        ("object", one.object_uid),
        ("first", when(one.first_seen)),
        ("last", f"{when(one.last_seen)}, {one.times} times"),
        ("SHA-256", one.sha256 or ""),
        ("bytes", "" if one.size is None else f"{one.size}, {'kept aside' if one.kept else 'not kept aside any more'}"),
        ("decided", WORDS[one.resolution] if one.resolution else ""),
        ("by", f"{one.resolved_by}, {when(one.resolved)}" if one.resolved else ""),
        ("reason", one.reason or ""),
    ]
    return [(name, value) for name, value in known if value]


def versions(house: House, caller: Caller, study_uid: str) -> None:
    """Print the versions of a study's demographics."""
    history = house.imaging.corrections.history(study_uid)
    patients = tuple(sorted({one.patient_id for one in history if one.patient_id}))
    house.audit.keep(AuditRecord(caller, READ, patients, (study_uid,), count=len(history), detail="demographics"))
    console = _console()
    if not history:
        console.print("The study's demographics were never corrected.")
        return
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for name in ("version", "when", "by", "patient", "reason"):
        table.add_column(name, overflow="fold")
    for one in history:
        table.add_row(str(one.number), when(one.made), *map(escape, (one.made_by, one.patient_id or "", one.reason)))
    console.print(table)


def when(seconds: float | None) -> str:
    """A moment in the time of this machine."""
    return datetime.fromtimestamp(seconds or 0, UTC).astimezone().isoformat(" ", timespec="seconds").partition("+")[0]


def _audited(house: House, caller: Caller, found: list[HeldFinding]) -> None:
    patients = tuple(sorted({patient for one in found for patient in one.patients if "&" in patient}))
    house.audit.keep(AuditRecord(caller, READ, patients, tuple(one.id for one in found), count=len(found)))


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=WIDE)
