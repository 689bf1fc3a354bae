"""Messages into requests, answers into messages (PS3.7 9, 10): the glue between an association and the handlers.

Every request is answered once with a final status, whatever happens behind it.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import structlog
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pynetdicom.dimse_primitives import C_ECHO, C_FIND, C_GET, C_MOVE, C_STORE, N_ACTION
from pynetdicom.dsutils import create_file_meta

from profiles.faces import dimse_data, dimse_status
from profiles.faces.dimse import Commit, Echo, Find, Peer, Refused, Request, Retrieve, Right, Service, Status, Store
from profiles.faces.dimse_association import Acceptor
from profiles.faces.dimse_messages import Broken
from profiles.faces.dimse_retrieve import Sender
from registry.metadata.errors import Rejected

PENDING, PENDING_UNSUPPORTED, CANCELLED, SUCCESS = 0xFF00, 0xFF01, 0xFE00, 0x0000
REQUEST_COMMITMENT = 1  # Action Type ID
NO_SUCH_ACTION = 0x0123
PREAMBLE = b"\0" * 128 + b"DICM"
RIGHTS = {
    Service.STORE: Right.STORE,
    Service.FIND: Right.QUERY,
    Service.MOVE: Right.MOVE,
    Service.GET: Right.MOVE,
    Service.COMMIT: Right.COMMIT,
}
log = structlog.get_logger(__name__)


class Actors(Protocol):
    """Who answers."""

    def answer(self, service: Service, sop_class_uid: str, request: Request) -> Any:
        """What the transaction's `encode` gives, see `Service`.

        Raises:
            Refused, Rejected: the request cannot be done.
        """


class Serving:
    """Answers the messages of all associations by `actors`; `sender` does the sub-operations of C-MOVE and C-GET."""

    def __init__(self, actors: Actors, sender: Sender) -> None:
        self._actors, self._sender = actors, sender
        self._by_message: dict[type, Callable[[Acceptor, Any, Any], None]] = {
            C_ECHO: self._echo,
            C_STORE: self._store,
            C_FIND: self._find,
            C_MOVE: self._retrieve,
            C_GET: self._retrieve,
            N_ACTION: self._commit,
        }

    def serve(self, assoc: Acceptor, message: Any, context: Any) -> None:
        """Answer one request; what no service takes ends the association."""
        serve = self._by_message.get(type(message))
        if serve is None:
            log.warning("association aborted: a service that is not given here", kind=type(message).__name__)
            assoc.abort()
            return
        serve(assoc, message, context)

    def _echo(self, assoc: Acceptor, message: Any, context: Any) -> None:
        sop_class = str(message.AffectedSOPClassUID)
        status = self._status(assoc.peer, Service.ECHO, sop_class, lambda: Echo(assoc.peer))
        _answer(assoc, message, context, status)

    def _store(self, assoc: Acceptor, message: Any, context: Any) -> None:
        stream = getattr(message, "stream", ())
        sop_class, instance = str(message.AffectedSOPClassUID), str(message.AffectedSOPInstanceUID)
        syntax = str(context.transfer_syntax[0])

        def request() -> Store:
            if sop_class != context.abstract_syntax:
                text = "the command names another SOP class than the presentation context"
                raise Refused(dimse_status.OTHER_CLASS, text, ("00000002",))
            return Store(assoc.peer, sop_class, instance, syntax, _file(sop_class, instance, syntax, stream))

        try:
            status = self._status(assoc.peer, Service.STORE, sop_class, request)
        finally:
            if stream:
                stream.abandon()
        _answer(assoc, message, context, status, AffectedSOPInstanceUID=message.AffectedSOPInstanceUID)

    def _commit(self, assoc: Acceptor, message: Any, context: Any) -> None:
        sop_class = str(message.RequestedSOPClassUID)

        def request() -> Commit:
            if message.ActionTypeID != REQUEST_COMMITMENT:
                raise Refused(NO_SUCH_ACTION, "the only action is 1, request storage commitment")
            return Commit(assoc.peer, *dimse_data.commitment(_identifier(message.ActionInformation, context)))

        status = self._status(assoc.peer, Service.COMMIT, sop_class, request)
        named = {"AffectedSOPInstanceUID": message.RequestedSOPInstanceUID, "ActionTypeID": message.ActionTypeID}
        _answer(assoc, message, context, status, AffectedSOPClassUID=message.RequestedSOPClassUID, **named)

    def _find(self, assoc: Acceptor, message: Any, context: Any) -> None:
        sop_class = str(message.AffectedSOPClassUID)
        cancelled = _cancelling(assoc, message)

        def request() -> Find:
            return Find(assoc.peer, sop_class, _identifier(message.Identifier, context), cancelled)

        def work() -> Status:
            for match in self._asked(assoc.peer, Service.FIND, sop_class, request):
                if cancelled():
                    return Status(CANCELLED)
                found = dimse_data.written(match.identifier, str(context.transfer_syntax[0]))
                pending = Status(PENDING_UNSUPPORTED if match.unsupported else PENDING)
                _answer(assoc, message, context, pending, Identifier=found)
            return Status(CANCELLED if cancelled() else SUCCESS)

        _answer(assoc, message, context, _guarded(work))

    def _retrieve(self, assoc: Acceptor, message: Any, context: Any) -> None:
        service = Service.MOVE if isinstance(message, C_MOVE) else Service.GET
        sop_class = str(message.AffectedSOPClassUID)
        cancelled = _cancelling(assoc, message)

        def request() -> Retrieve:
            identifier = _identifier(message.Identifier, context)
            destination = str(getattr(message, "MoveDestination", "") or "").strip()
            return Retrieve(assoc.peer, sop_class, identifier, destination, cancelled)

        def told(status: Status, counts: dict[str, int], failed: Any = None) -> None:
            more = {"Identifier": dimse_data.encoded(failed, str(context.transfer_syntax[0]))} if failed else {}
            _answer(assoc, message, context, status, **counts, **more)

        def work() -> Status:
            retrieval = self._asked(assoc.peer, service, sop_class, request)
            self._sender.send(assoc, retrieval, int(message.MessageID), cancelled, told)
            return Status()

        status = _guarded(work)
        if status.code:
            _answer(assoc, message, context, status)

    def _asked(self, peer: Peer, service: Service, sop_class: str, request: Callable[[], Request]) -> Any:
        if (right := RIGHTS.get(service)) and right not in peer.rights:
            raise Refused(dimse_status.NOT_AUTHORIZED, f"the settings do not let this peer {right.value}")
        return self._actors.answer(service, sop_class, request())

    def _status(self, peer: Peer, service: Service, sop_class: str, request: Callable[[], Request]) -> Status:
        return _guarded(lambda: self._asked(peer, service, sop_class, request))


def _guarded(work: Callable[[], Status]) -> Status:
    """The status of `work`, whatever becomes of it; only an association that is broken needs none."""
    try:
        return work()
    except Refused as refused:
        return Status(
            refused.status.code, dimse_status.comment_of(refused.status.comment), tuple(refused.status.elements)
        )
    except Rejected as rejected:
        return dimse_status.of_findings(rejected.findings)
    except Broken:
        raise
    except Exception:
        log.exception("failed")
        return Status(dimse_status.FAILED, "an internal error; it is in the log")


def _answer(assoc: Acceptor, message: Any, context: Any, status: Status, **more: Any) -> None:
    """Send a response of the message's own kind."""
    response = type(message)()
    response.MessageIDBeingRespondedTo = message.MessageID
    response.Status = status.code
    named = {"AffectedSOPClassUID": getattr(message, "AffectedSOPClassUID", None), **more}
    if status.comment and hasattr(response, "ErrorComment"):
        named["ErrorComment"] = status.comment
    if status.elements and hasattr(response, "OffendingElement"):
        named["OffendingElement"] = [int(each, 16) for each in status.elements]
    for name, value in named.items():
        if value is not None:
            setattr(response, name, value)
    assoc.dimse.send_msg(response, context.context_id)


def _identifier(data: Any, context: Any) -> dict[str, Any]:
    return dimse_data.read(data.getvalue() if data else b"", str(context.transfer_syntax[0]))


def _cancelling(assoc: Acceptor, message: Any) -> Callable[[], bool]:
    return lambda: message.MessageID in assoc.dimse.cancel_req or assoc.acse.is_aborted()


def _file(sop_class: str, instance: str, syntax: str, data_set: Any) -> Iterator[bytes]:
    """The object as a file: our preamble and group 2 (PS3.10 7.1), and the data set exactly as it comes."""
    head = DicomBytesIO()
    write_file_meta_info(
        head, create_file_meta(sop_class_uid=sop_class, sop_instance_uid=instance, transfer_syntax=syntax)
    )
    yield PREAMBLE + head.getvalue()
    yield from data_set
