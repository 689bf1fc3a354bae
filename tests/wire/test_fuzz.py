"""Mutants of valid messages: whatever comes in, the answer is coded, quick, and changes nothing unless it succeeds.

`XDSI_MUTATIONS` is how many of each transaction (the long run: 10000), `XDSI_MUTANTS_KEPT` where those that were
answered wrongly are kept.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from lxml import etree
from wire import seeds
from wire.soap_world import World, judged, open_world

from conformance import mutations
from profiles.catalog import Soap, Transaction
from profiles.installed import PROFILES

pytestmark = pytest.mark.fuzz

MUTATIONS = int(os.environ.get("XDSI_MUTATIONS", "40"))
SLOWEST = 2.0  # seconds of this thread's work; a machine that does other things too is no fault of a message
EVERY = [t for profile in PROFILES for t in profile.transactions if isinstance(t.face, Soap)]
every = pytest.mark.parametrize("transaction", EVERY, ids=lambda t: f"{t.id} {t.face.service} {t.name}")


@pytest.fixture(scope="module")
def world(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return open_world(sqlite_template, tmp_path_factory.mktemp("fuzz") / "data")


@pytest.fixture(scope="module")
def makers(world: World) -> Mapping[tuple[str, str], seeds.Maker]:
    return seeds.makers(world, seeds.known(world))


def maker_of(makers: Mapping[tuple[str, str], seeds.Maker], transaction: Transaction) -> seeds.Maker:
    key = (transaction.face.service, transaction.face.action)
    assert key in makers, f"{transaction.id} has no valid message in tests/wire/seeds.py: add one"
    return makers[key]


@every
def test_what_mutants_are_made_of_is_valid(
    world: World, makers: Mapping[tuple[str, str], seeds.Maker], transaction: Transaction
) -> None:
    answer = world.post(transaction.face.service, *maker_of(makers, transaction)())
    assert answer.fault is None, answer.fault
    assert answer.outcome in {"Success", "PartialSuccess"} or transaction.id == "ITI-86", answer.text


@every
def test_mutants_are_answered_by_a_code(
    world: World, makers: Mapping[tuple[str, str], seeds.Maker], transaction: Transaction, tmp_path: Path
) -> None:
    face, before = transaction.face, world.state()

    def fresh() -> mutations.Message:
        nonlocal before
        made = maker_of(makers, transaction)()
        before = world.state()
        return made

    damaged = mutations.mutants(f"{transaction.id} {face.service} {face.action}", fresh, MUTATIONS)
    for number, (headers, body) in enumerate(damaged):
        begin = time.thread_time()
        status, content_type, content = world.raw(face.service, headers, body)
        took = time.thread_time() - begin
        try:
            answer = judged(status, content_type, content)
            assert took < SLOWEST
            if answer.fault or answer.outcome == "Failure":
                assert world.state() == before, "the store changed"
            assert world.temporaries() == []
        except (AssertionError, etree.XMLSyntaxError, ValueError) as error:
            kept = (
                Path(os.environ.get("XDSI_MUTANTS_KEPT", tmp_path)) / f"{transaction.id}-{face.service}-{number}.http"
            )
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(f"Content-Type: {headers.get('Content-Type')}\r\n\r\n".encode("utf-8", "replace") + body)
            raise AssertionError(f"mutant {number}, kept in {kept}: {error}") from error


def test_the_same_seed_gives_the_same_mutants() -> None:
    message = seeds.person(seeds.Action.PATIENT_ADDED)
    first, again = (list(mutations.mutants("a", lambda: message, 60)) for _ in range(2))
    assert first == again
    assert first != list(mutations.mutants("b", lambda: message, 60))
    assert len({body for _, body in first}) > 40


@pytest.mark.parametrize("damage", mutations.TREE, ids=lambda damage: damage.__name__)
def test_each_damage_of_the_tree_does_some(damage: object) -> None:
    """A table whose rows do nothing would find nothing."""
    _, whole = seeds.person(seeds.Action.PATIENT_ADDED)
    changed = 0
    for number in range(20):
        rng, root = Random(number), etree.fromstring(whole)
        elements = [e for e in root.iter("*") if e.getparent() is not None]
        damage(rng, rng.choice(elements), elements)  # type: ignore[operator]
        changed += etree.tostring(root) != etree.tostring(etree.fromstring(whole))
    assert changed > 2
