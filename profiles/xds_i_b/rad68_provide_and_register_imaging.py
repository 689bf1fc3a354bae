"""RAD-68, Provide and Register Imaging Document Set - MTOM/XOP (RAD TF-2, 4.68).

On the wire it is ITI-41, and comes in by that door; what makes it imaging is the document. A manifest is read when its
DocumentEntry's formatCode says that it is one (`repository.service`), so that its study shows up beside it.
"""

from profiles.catalog import SameDoor, Transaction

TRANSACTION = Transaction(
    id="RAD-68",
    name="Provide and Register Imaging Document Set - MTOM/XOP",
    actor="Document Repository",
    source="RAD TF-2, 4.68",
    face=SameDoor("ITI-41"),
)
