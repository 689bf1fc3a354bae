"""The README's walk through the story, run as it stands against a fresh server."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def commands() -> str:
    """Every `sh` block of the README, one script; the environment's Python stands in for the one in .venv."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks, "the README has no sh blocks"
    return "\n".join(["set -eu", *blocks]).replace(".venv/bin/python", sys.executable)


def test_the_walk_works_when_pasted(server):
    base = server().base_url
    done = subprocess.run(
        ["bash", "-c", commands()], env={"B": base, "PATH": "/usr/bin:/bin"}, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    out = done.stdout
    for expected in (
        "1.3.6.1.4.1.5962.1.1.1.1.1.20040119072730.12322",
        '"unchanged":false',
        "ResponseStatusType:Success",
        "CT of the chest: no abnormality.",
        '"resourceType":"Endpoint"',
        '"resourceType":"DiagnosticReport"',
    ):
        assert expected in out, f"{expected} is not in what the README's commands print"
    assert "ResponseStatusType:Failure" not in out
    assert '"ImagingStudy/' in out, "the report does not point to its study"
