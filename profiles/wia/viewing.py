"""How a picture is asked for: the parameters of rendered resources and of WADO-URI, as one view (PS3.18, 8.3.5)."""

import re
from collections.abc import Mapping
from math import isfinite

from registry.metadata.errors import ErrorCode, Rejected
from repository.imaging.rendering import LARGEST_SIDE, QUALITY, Media, Region, View

FUNCTIONS: Mapping[str, str] = {
    "linear": "LINEAR",
    "linear-exact": "LINEAR_EXACT",
    "sigmoid": "SIGMOID",
}
"""Names of VOI LUT functions in a URL (PS3.18, 8.3.5.1.4), and in an object."""

_SOURCE = "PS3.18, 8.3.5.1"
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_WHOLE = re.compile(r"[0-9]{1,9}")


def window_of(center: str, width: str, function: str = "linear") -> tuple[float, float, str]:
    """A window from its texts. Raises Rejected (InvalidRequest)."""
    name = FUNCTIONS.get(function.lower())
    values = [number(text, "window") for text in (center, width)]
    if name is None or values[1] < (1 if name == "LINEAR" else 1e-6):
        text = "A window is center, width (1 or more) and linear, linear-exact or sigmoid"
        raise wrong("window", text)
    return values[0], values[1], name


def viewport_of(text: str) -> tuple[tuple[int, int] | None, Region | None]:
    """The parameter `viewport`: columns and rows, then of the image left, top, width and height, which may be negative
    to mirror it (PS3.18, 8.3.5.1.3). Raises Rejected (InvalidRequest)."""
    parts = text.split(",")
    if len(parts) not in (2, 6):
        raise wrong("viewport", "A viewport is width,height or width,height,x,y,width,height")
    columns, rows = (side(part, "viewport") for part in parts[:2])
    if len(parts) == 2:
        return (columns, rows), None
    left, top, width, height = (int(number(part or "0", "viewport")) for part in parts[2:])
    if not width or not height:
        raise wrong("viewport", "The width and the height of the part of the image are missing")
    return (columns, rows), Region(left, top, abs(width), abs(height), width < 0, height < 0)


def quality_of(text: str | None) -> int:
    """JPEG's quality, 1 to 100. Raises Rejected (InvalidRequest)."""
    if text is None:
        return QUALITY
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= 100:
        raise wrong("quality", "The quality is a whole number from 1 to 100")
    return int(text)


def view_of(parameters: Mapping[str, str], media: Media) -> View:
    """The view that `viewport`, `window` and `quality` ask for. Raises Rejected (InvalidRequest)."""
    window = viewport = region = None
    if "window" in parameters:
        parts = parameters["window"].split(",")
        if len(parts) not in (2, 3):
            raise wrong("window", "A window is center,width,function")
        window = window_of(*parts)
    if "viewport" in parameters:
        viewport, region = viewport_of(parameters["viewport"])
    return View(media, quality_of(parameters.get("quality")), window, viewport, region)


def number(text: str, where: str) -> float:
    """A decimal number. Raises Rejected (InvalidRequest)."""
    if not _NUMBER.fullmatch(text) or not isfinite(float(text)):
        raise wrong(where, "Decimal numbers are expected")
    return float(text)


def side(text: str, where: str) -> int:
    """A side of the picture, in pixels. Raises Rejected (InvalidRequest)."""
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= LARGEST_SIDE:
        raise wrong(where, f"Sides of 1 to {LARGEST_SIDE} pixels are drawn")
    return int(text)


def wrong(where: str, text: str) -> Rejected:
    """The refusal of a parameter."""
    return Rejected.because(ErrorCode.InvalidRequest, where, text, _SOURCE)
