"""Rejection and retention as the settings ask for them."""

import time
from collections.abc import Callable

from profiles.iocm_settings import RejectionSetting, RetentionSettings
from profiles.settings import Settings
from repository.imaging.service import ImagingRepository
from repository.rejection_policy import EXPIRED, QUALITY, SAFETY, WORKLIST, Policies, RejectionPolicy, Resent
from repository.retention import Retention, Rule

A_WHILE = 20  # studies that the worker lets go at once, before it looks after its other chores
Chore = tuple[str, Callable[[], bool], float]


def policies_of(settings: Settings) -> Policies:
    """The policy of each code of a rejection note."""
    iocm = settings.iocm
    by_code = {QUALITY: iocm.quality, SAFETY: iocm.safety, WORKLIST: iocm.worklist, EXPIRED: iocm.expired}
    return Policies({code: _policy(one) for code, one in by_code.items()}, remove=iocm.emptied == "remove")


def retention_of(settings: Settings, imaging: ImagingRepository, now: Callable[[], float] = time.time) -> Retention:
    """The retention of what is held here."""
    return Retention(imaging.deletion, _rule(settings.retention), now=now)


def chores_of(settings: Settings, imaging: ImagingRepository) -> list[Chore]:
    """What the worker does about deletion: name, work, seconds between."""
    chores: list[Chore] = [
        ("deletion", imaging.deletion.rejected_once, 5.0),
        ("deleted bytes", imaging.deletion.bytes_once, 5.0),
    ]
    if settings.retention.automatic:
        retention = retention_of(settings, imaging)
        chores.append(("retention", lambda: retention.run(limit=A_WHILE).studies == A_WHILE, 3600.0))
    return chores


def _policy(setting: RejectionSetting) -> RejectionPolicy:
    return RejectionPolicy(
        hide=setting.hide,
        delete_after_days=setting.delete_after_days,
        resent=Resent(setting.resent),
        overwrites=setting.overwrites,
        at_once=setting.at_once,
    )


def _rule(setting: RetentionSettings) -> Rule | None:
    if setting.years is None:
        return None
    return Rule(
        years=setting.years,
        by_patient=setting.after == "patient",
        minor_age=setting.minor_age,
        until_age=setting.until_age,
        remove=setting.entries == "remove",
    )
