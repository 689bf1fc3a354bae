"""ITI-39 as an Initiating Gateway asks it (ITI TF-2, 3.39)."""

from collections.abc import Sequence
from pathlib import Path

from profiles.document_sharing import fetching
from profiles.document_sharing.fetching import Fetched
from profiles.faces import xml
from profiles.faces.soap_client import Peer
from registry.metadata.urn import Action, Namespace
from repository.service import DocumentRequest

SOURCE = "ITI TF-2, 3.39.4.1.3"


def question(requests: Sequence[DocumentRequest]) -> bytes:
    """A RetrieveDocumentSetRequest."""
    asked = "".join(
        f"<xdsb:DocumentRequest><xdsb:HomeCommunityId>{xml.escaped(one.home or '')}</xdsb:HomeCommunityId>"
        f"<xdsb:RepositoryUniqueId>{xml.escaped(one.repository_unique_id)}</xdsb:RepositoryUniqueId>"
        f"<xdsb:DocumentUniqueId>{xml.escaped(one.unique_id)}</xdsb:DocumentUniqueId></xdsb:DocumentRequest>"
        for one in requests
    )
    head = f'<xdsb:RetrieveDocumentSetRequest xmlns:xdsb="{Namespace.XDS_B}">'
    return f"{head}{asked}</xdsb:RetrieveDocumentSetRequest>".encode()


def fetch(peer: Peer, home: str, requests: Sequence[DocumentRequest], folder: Path) -> Fetched:
    """The documents as the gateway of `home` gives them, spooled in `folder`.

    Raises:
        NoAnswer: nothing that can be used.
    """
    asked = fetching.Question(Action.CROSS_GATEWAY_RETRIEVE, question(requests), SOURCE)
    return fetching.fetch(peer, asked, requests, home, folder)
