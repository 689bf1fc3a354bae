"""What tests of bad input share: a good message to break, settings, and the check that nothing was kept."""

from collections.abc import Iterator

import pytest
from examination import soap
from region import Region

from registry.metadata.urn import (
    Action,
    Namespace,
    StoredQueryId,
)

# Nothing is published behind the back of a test that counts.
STILL = {"XDSI_PUBLISHING__AUTOMATIC": "false", "XDSI_LIMITS__ENVELOPE_BYTES": "200000"}
QUERY_ACTION = Action.REGISTRY_STORED_QUERY
QUERY = (
    f'<q:AdhocQueryRequest xmlns:q="{Namespace.QUERY}" xmlns:r="{Namespace.RIM}">'
    '<q:ResponseOption returnType="ObjectRef"/>'
    f'<r:AdhocQuery id="{StoredQueryId.GET_DOCUMENTS}"><r:Slot name="$XDSDocumentEntryUniqueId"><r:ValueList>'
    "<r:Value>('1.2.3')</r:Value></r:ValueList></r:Slot></r:AdhocQuery></q:AdhocQueryRequest>"
)
GOOD = soap(QUERY_ACTION, QUERY)
SOAP_TYPE = "application/soap+xml; charset=UTF-8"
BOMB = b'<!DOCTYPE a [<!ENTITY b "%s"><!ENTITY c "&b;&b;&b;&b;">]>' % (b"x" * 100)


NOBODY = "urn:uuid:00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def nothing_kept(world: Region, request: pytest.FixtureRequest) -> Iterator[None]:
    """No row and no file more than before; a test that keeps something on purpose is marked by its name."""
    before = world.count()
    yield
    if "kept" not in request.node.name:
        assert world.count() == before
