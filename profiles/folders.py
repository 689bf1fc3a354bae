"""The folders that a running server needs before anything else."""

import os
import shutil

from profiles.addresses import Refused
from profiles.settings import Settings


def prepare(settings: Settings, part: str) -> None:
    """Make the data folder, for nobody else's eyes, and an empty folder for the counters that processes share.

    Raises:
        Refused: the data folder cannot be made or written.
    """
    counters = settings.data / "metrics" / part
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(counters, ignore_errors=True)
        counters.mkdir(parents=True)
    except OSError as error:
        raise Refused(f"the data folder {settings.data} cannot be used: {error.strerror}") from error
    # The metrics library looks at this when it is imported, and never again.
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(counters.resolve())
