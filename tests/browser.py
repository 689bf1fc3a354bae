"""A headless Chromium, driven through its debugging pipe: no package is needed for that."""

import base64
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--remote-debugging-pipe",
    "--window-size=1280,800",
)


class Browser:
    """One page; what it logged, and what it asked for, is kept."""

    def __init__(self, profile: Path) -> None:
        assert CHROMIUM is not None
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()

        def pipes() -> None:
            os.dup2(to_read, 3)
            os.dup2(to_write, 4)

        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(3, 4, to_read, to_write),
            preexec_fn=pipes,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        self._number, self._held, self.session = 0, b"", ""
        self.logged: list[str] = []
        self.requests: list[str] = []
        self.statuses: list[tuple[int, str]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """The result of a command of the DevTools protocol."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        ends = time.monotonic() + 30
        while True:
            answer = self._next(ends)
            if answer is not None and answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def until(self, expression: str, seconds: float) -> bool:
        """Whether JavaScript `expression` becomes true within that time."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            if self.value(expression):
                return True
            self._next(time.monotonic() + 0.25)
        return False

    def value(self, expression: str) -> Any:
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return result["result"].get("value")

    def picture(self, file: Path) -> bytes:
        """A PNG of what is shown."""
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        file.write_bytes(data)
        return data

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(20)
        os.close(self._write)
        os.close(self._read)

    def _next(self, ends: float) -> dict[str, Any] | None:
        while b"\0" not in self._held:
            left = ends - time.monotonic()
            if left <= 0 or not select.select([self._read], [], [], left)[0]:
                return None
            block = os.read(self._read, 1 << 20)
            assert block, "the browser ended"
            self._held += block
        text, _, self._held = self._held.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        parameters = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Network.responseReceived":
                self.statuses.append((parameters["response"]["status"], parameters["response"]["url"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning"):
                self.logged.append(" ".join(str(a.get("value", a.get("description", ""))) for a in parameters["args"]))
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                self.logged.append(details.get("exception", {}).get("description", details["text"]))
            case "Log.entryAdded":
                self.logged.append(parameters["entry"]["text"])
        return message
