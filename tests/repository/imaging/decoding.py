"""Single objects as the index would hold them, and an image repository that holds nothing else."""

import hashlib
import io
import json

from dicom_samples import scanned

from repository.imaging.decoder import Decoder
from repository.imaging.frames import frames_of
from repository.imaging.packing import read
from repository.imaging.pixels import pixels_of
from repository.imaging.rows import instance_row
from repository.imaging.service import Frame
from repository.store.imaging import HeldInstance


class OneObject:
    """An image repository of one object: what transcoding and rendering ask of the real one."""

    def __init__(self, data: bytes, decoder: Decoder) -> None:
        self.data, self.decoder = data, decoder
        row = instance_row(scanned(data), "1.2.3", None, hashlib.sha256(data).hexdigest(), len(data), 0.0)
        self.held = HeldInstance(**{name: row[name] for name in HeldInstance._fields})

    def open(self, held):
        return io.BytesIO(self.data)

    def frames(self, held, numbers):
        frames = frames_of(self.open(held), pixels_of(held).place, read(held.attributes))
        return [Frame(frames.read(number), held.transfer_syntax_uid) for number in numbers]

    def bulk(self, held, path):
        from repository.imaging.scanner import locate

        for offset, length in locate(self.open(held), held.size, path):
            yield self.data[offset : offset + length]

    @property
    def place(self):
        return json.loads(self.held.pixels)
