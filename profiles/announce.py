"""What `xdsi serve` prints when it is ready: where it listens, who it is, and three commands to try."""

from rich.console import Console
from rich.table import Table

from profiles.settings import Settings


def addresses(settings: Settings) -> tuple[tuple[str, str], ...]:
    """What can be reached, and where."""
    base = settings.base_url
    return (
        ("home page", f"{base}/"),
        ("FHIR R4", f"{base}/fhir"),
        ("DICOMweb", f"{base}/dicomweb"),
        ("XDS registry (SOAP)", f"{base}/xds/registry?wsdl"),
        ("XDS repository (SOAP)", f"{base}/xds/repository?wsdl"),
        ("imaging source (SOAP)", f"{base}/xds/imaging?wsdl"),
        ("for who configures a peer", f"{base}/conformance/system"),
        *((("wire log", f"{base}/trace"),) if settings.trace.enabled else ()),
        ("DICOM", "off" if settings.dicom == "off" else f"{settings.ae_title}@{settings.dicom}"),
        ("HL7 v2 MLLP", "off" if settings.mllp == "off" else f"mllp://{settings.mllp}"),
    )


def identities(settings: Settings) -> tuple[tuple[str, str], ...]:
    """The OIDs and names that peers must know."""
    domain = settings.affinity_domain
    return (
        ("home community", domain.home_community_id),
        ("repository unique id", domain.repository_unique_id),
        ("retrieve location UID", domain.retrieve_location_uid),
        ("patient authorities", ", ".join(domain.patient_authorities)),
        ("AE title", settings.ae_title),
    )


def commands(settings: Settings) -> tuple[str, ...]:
    """Three commands that work as they stand, whatever is stored."""
    base = settings.base_url
    return (
        f"curl '{base}/fhir/ImagingStudy?_count=3'",
        f"curl -H 'Accept: application/dicom+json' '{base}/dicomweb/studies?limit=3'",
        f"curl '{base}/conformance/system'",
    )


def ready(settings: Settings, part: str, with_demo: bool) -> None:
    """Print it all, and `Ready` as the last line."""
    console = Console(soft_wrap=True, highlight=False)
    if part == "worker":
        console.print("Ready: the worker is running.")
        return
    if part in ("mllp", "dimse"):
        where = f"mllp://{settings.mllp}" if part == "mllp" else f"dicom://{settings.ae_title}@{settings.dicom}"
        console.print(f"Ready: {where}")
        console.file.flush()
        return
    table = Table("", "", show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in (*addresses(settings), *identities(settings), ("data", str(settings.data.resolve()))):
        table.add_row(f"[bold]{name}[/]", value)
    console.print(table)
    console.print("\nTo try" + (", with the demonstration region:" if with_demo else ":"))
    for command in commands(settings):
        console.print(f"  {command}", markup=False)
    console.print(f"\nReady: {settings.base_url}/")
    console.file.flush()
