"""The real viewer in a real browser on a real server: a CT series, an ultrasound of many frames, and a slide.

It runs when XDSI_TEST_OHIF says where the viewer's npm package is: its .tgz, or `npm` to fetch it. Pictures are kept
in the test's folder, to be looked at.
"""

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
import requests
import running
from browser import CHROMIUM, Browser
from examination import Study, multipart, new_uid
from PIL import Image
from pydicom.data import get_testdata_file
from slide import slide

from profiles.viewer.install import NotInstalled, install

PACKAGE = os.environ.get("XDSI_TEST_OHIF", "")
pytestmark = [
    pytest.mark.skipif(not PACKAGE, reason="set XDSI_TEST_OHIF to the .tgz of @ohif/app, or to npm"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: install Debian's package chromium"),
]


@pytest.fixture(scope="module")
def ohif(tmp_path_factory: pytest.TempPathFactory) -> Iterator[running.RunningServer]:
    folder = tmp_path_factory.mktemp("ohif") / "data"
    try:
        install(folder / "viewer", archive=None if PACKAGE == "npm" else Path(PACKAGE))
    except NotInstalled as error:
        pytest.skip(str(error))
    server = running.start(folder)
    yield server
    server.stop()


@pytest.fixture
def browser(ohif: running.RunningServer, tmp_path: Path) -> Iterator[Browser]:
    found = Browser(tmp_path / "profile")
    yield found
    found.close()


def store(server: running.RunningServer, *objects: bytes) -> None:
    headers = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=cut-here'}
    answer = requests.post(f"{server.base_url}/dicomweb/studies", multipart(*objects), headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text


def ct() -> tuple[str, list[bytes]]:
    study = Study()
    places = [[-158, -179, 5 * n] for n in range(8)]
    return study.uid, [study.object(InstanceNumber=n, ImagePositionPatient=place) for n, place in enumerate(places, 1)]


def ultrasound() -> tuple[str, list[bytes]]:
    path = get_testdata_file("examples_ybr_color.dcm", download=False)
    if path is None:
        pytest.skip("pydicom's examples_ybr_color.dcm is not on this machine")
    data, out = pydicom.dcmread(str(path)), io.BytesIO()
    data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID = new_uid(), new_uid(), new_uid()
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.save_as(out)
    return data.StudyInstanceUID, [out.getvalue()]


def microscopy() -> tuple[str, list[bytes]]:
    study, series = new_uid(), new_uid()
    return study, [slide(study, series, side, number) for number, side in enumerate((1024, 512, 256), 1)]


@pytest.mark.parametrize(("kind", "frames"), [("ct", 8), ("ultrasound", 30), ("microscopy", 1)])
def test_images_are_shown(
    ohif: running.RunningServer, browser: Browser, tmp_path: Path, kind: str, frames: int
) -> None:
    study, objects = {"ct": ct, "ultrasound": ultrasound, "microscopy": microscopy}[kind]()
    store(ohif, *objects)
    browser.call("Page.navigate", url=f"{ohif.base_url}/viewer/study/{study}")
    assert browser.until("document.querySelectorAll('canvas').length > 0", 60)
    assert drawn(browser, tmp_path / f"{kind}.png"), browser.logged
    assert browser.until("performance.getEntriesByType('resource').length > 0", 5)
    asked = [url for url in browser.requests if "/frames/" in url]
    assert len(set(asked)) >= frames
    assert browser.value("crossOriginIsolated") is True
    assert [status for status in browser.statuses if status[0] >= 400] == []
    assert [line for line in browser.logged if "Content Security Policy" in line] == []
    strange = [url for url in browser.requests if not url.startswith((ohif.base_url, "data:", "blob:", "about:"))]
    assert strange == []
    assert [url for url in browser.requests if url.startswith(f"{ohif.base_url}/dicomweb")] == []


def drawn(browser: Browser, file: Path) -> bool:
    """Whether the middle of the page comes to show an image: many different grey values or colours."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        picture = np.asarray(Image.open(io.BytesIO(browser.picture(file))).convert("L"))
        if len(np.unique(picture[200:600, 450:850])) > 60:
            browser.until("false", 2)
            browser.picture(file)
            return True
        browser.until("false", 0.5)
    return False
