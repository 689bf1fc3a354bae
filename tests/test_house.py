"""The rules of the house, as far as a machine can keep them; each message says how to mend what it found."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from profiles.catalog import Fhir, Http, SameDoor, Soap
from profiles.installed import PROFILES

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("conformance", "database", "profiles", "registry", "repository")
SOURCES = [ROOT / "wsgi.py", *(path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))]
MOST_LINES, MOST_FUNCTION_LINES = 400, 60
URNS = "registry/metadata/urn.py"
MIGRATIONS = "database/migrations/"
TRANSACTIONS = [transaction for profile in PROFILES for transaction in profile.transactions]

LITERAL = re.compile(
    r"urn:(?:ihe|oasis|ietf|hl7-org):[\w:.-]+"
    r"|urn:uuid:[0-9a-f]{8}-[0-9a-f-]+"
    r"|(?:urn:oid:)?(?<![\w.])[0-2](?:\.(?:0|[1-9]\d*)){4,}(?![\w.])"
    r"|https?://(?:docs\.oasis-open|schemas\.xmlsoap|www\.w3|hl7|terminology\.hl7|dicom\.nema|loinc|snomed)\.[^\s\"'<>]+"
)
# (file, what it may hold): why.
ALLOWED = {
    ("profiles/settings.py", r"1\.2\.752\.129\.2\.(1\.3\.1|9\.[1-6](\.\d+)?)"): "defaults that a site replaces",
    ("conformance/", r"1\.2\.752\.129\.2\.(1\.3\.1|9\.[\d.]+)"): "identifiers of invented messages",
    (
        "profiles/faces/wsdl.py",
        r"http://schemas\.xmlsoap\.org/soap/http",
    ): "a transport's name, of no table of the book",
}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every string constant that is no docstring."""
    tree = parsed(path)
    docstrings = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings and isinstance(node.value, str | bytes):
            yield node.lineno, node.value if isinstance(node.value, str) else node.value.decode("latin-1")


def literals(path: Path) -> Iterator[tuple[int, str]]:
    for line, text in texts(path):
        for found in LITERAL.finditer(text):
            yield line, found[0]


def allowed(path: Path, literal: str) -> list[tuple[str, str]]:
    return [key for key in ALLOWED if name(path).startswith(key[0]) and re.fullmatch(key[1], literal)]


# --- the installed transactions ---


def test_no_two_transactions_of_a_service_share_a_soap_action():
    """Of two services they may: a consumer asks a registry and an Initiating Gateway the same."""
    actions = Counter((t.face.service, t.face.action) for t in TRANSACTIONS if isinstance(t.face, Soap))
    twice = [action for action, number in actions.items() if number > 1]
    assert not twice, f"{twice}: make one of the two a SameDoor of the other in its file under profiles/"


def test_no_two_transactions_share_a_route():
    """Flask would silently give all requests to the first."""
    routes = [(t.face.method, re.sub(r"<[^>]*>", "<>", t.face.path)) for t in TRANSACTIONS if isinstance(t.face, Http)]
    routes += [(t.face.resource, t.face.interaction) for t in TRANSACTIONS if isinstance(t.face, Fhir)]
    twice = [route for route, number in Counter(routes).items() if number > 1]
    assert not twice, f"{twice}: two TRANSACTIONs have this door; give one another path, or make it a SameDoor"


def test_no_two_profiles_share_an_id():
    assert [n for n, number in Counter(profile.id for profile in PROFILES).items() if number > 1] == []


def test_every_same_door_names_an_installed_transaction():
    with_doors = {t.id for t in TRANSACTIONS if not isinstance(t.face, SameDoor)}
    wrong = [(t.id, t.face.transaction) for t in TRANSACTIONS if isinstance(t.face, SameDoor) and t.face.transaction not in with_doors]  # fmt: skip
    assert not wrong, f"{wrong}: the second is not installed, or has no door itself; correct the SameDoor"


def test_every_door_has_its_three_parts():
    for transaction in TRANSACTIONS:
        parts = (transaction.decode, transaction.handle, transaction.encode)
        if isinstance(transaction.face, SameDoor):
            assert parts == (None, None, None), f"{transaction.id} has no door of its own, so nothing calls its parts"
        else:
            assert all(parts), f"{transaction.id} lacks decode, handle or encode at the foot of its file"


@pytest.mark.parametrize("item", [*PROFILES, *TRANSACTIONS], ids=lambda item: f"{item.id} {item.name}")
def test_everything_installed_says_where_the_book_has_it(item):
    book = re.compile(r"(ITI|RAD) TF-\d|DICOM PS3\.\d+|FHIR R4|MHD,? \d|MADO|HL7|OpenXDS-I|own")
    assert book.search(item.source), f"source={item.source!r}: name the book and the section, as 'ITI TF-2, 3.18'"


# --- the sources ---


def test_the_sources_are_found():
    assert len(SOURCES) > 100


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_names_of_the_book_are_in_one_file(path):
    if name(path) == URNS:
        return
    found = [f"line {line}: {literal}" for line, literal in literals(path) if not allowed(path, literal)]
    assert not found, (
        f"{name(path)} spells {found}. Use the member of {URNS} that has this value, or add one to the enumeration"
        " that fits; what is no name of the book goes into ALLOWED here, with its reason"
    )


def test_nothing_is_allowed_that_is_not_there():
    used = {key for path in SOURCES for _, literal in literals(path) for key in allowed(path, literal)}
    assert used == set(ALLOWED), f"strike {set(ALLOWED) - used} from ALLOWED: no file holds it any more"


def test_the_search_finds_what_it_should():
    wrong = ("urn:ihe:iti:2007:X", "urn:uuid:7edca82f-054d-47f2-a032-9b2a5b5186c1", "1.2.840.10008.1.2")
    assert [text for text in wrong if not LITERAL.search(f"({text})")] == []
    right = ("urn:uuid:", "urn:oid:", "3.18.4.1", "127.0.0.1", "ITI TF-2, 3.18.4.1.2.6x", "http://localhost/")
    assert [text for text in right if LITERAL.search(text)] == []


@pytest.mark.parametrize("path", [p for p in SOURCES if not name(p).startswith(MIGRATIONS)], ids=name)
def test_files_and_functions_can_be_read(path):
    lines = len(path.read_text().splitlines())
    assert lines <= MOST_LINES, f"{name(path)} has {lines} lines, {MOST_LINES} at most: split it by subject"
    functions = (n for n in ast.walk(parsed(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
    long = {f.name: size for f in functions if (size := (f.end_lineno or 0) - f.lineno + 1) > MOST_FUNCTION_LINES}
    assert not long, f"{name(path)}: {long} lines, {MOST_FUNCTION_LINES} at most: take a step out into its own function"
