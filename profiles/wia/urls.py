"""Where the DICOMweb resources are (DICOM PS3.18, 10.1): paths for Flask, and URLs for answers."""

from typing import Final

ROOT: Final = "/dicomweb"
STUDIES: Final = f"{ROOT}/studies"
STUDY: Final = f"{STUDIES}/<study>"
SERIES: Final = f"{STUDY}/series/<series>"
INSTANCE: Final = f"{SERIES}/instances/<instance>"


def url(base: str, study: str, series: str = "", instance: str = "") -> str:
    """The URL of a study, of a series of it, or of an instance of that; `base` is the server's."""
    path = f"{base}{STUDIES}/{study}"
    if series:
        path += f"/series/{series}"
    return f"{path}/instances/{instance}" if instance else path
