"""Makes the compression dictionary of stored bodies from synthetic metadata: `python -m conformance.dictionary N FILE`.

Run once for each new dictionary number; an old one is part of the data that it compressed and is never made again.
"""

import random
import sys
from pathlib import Path

import zstandard

from conformance.synthetic import bare, patient_id, submission
from profiles.faces import ebrim_write
from profiles.mhd.document_reference import render_document_reference

SIZE = 32 * 1024
SAMPLES = 1500


def train(seed: int) -> bytes:
    """A dictionary trained on ebRIM and FHIR bodies of `SAMPLES` submissions."""
    rng = random.Random(seed)  # noqa: S311
    samples: list[bytes | bytearray | memoryview] = []
    for number in range(SAMPLES):
        one = submission(rng, patient_id(number), 1)
        samples.append(ebrim_write.body(bare(one.entries[0])))
        samples.append(
            render_document_reference(bare(one.entries[0]), "00000000-0000-4000-8000-000000000000", (), 1.7e9)
        )
        samples.append(ebrim_write.body(one.submission_set))
        samples.append(ebrim_write.body(one.associations[0]))
    return bytes(zstandard.train_dictionary(SIZE, samples).as_bytes())


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(train(int(sys.argv[1])))
