"""Make the data, and compare weights with those of other versions."""

import hashlib
import os
from pathlib import Path

import pytest
import torch

from . import media


@pytest.fixture(scope='session')
def data(tmp_path_factory):
    """Write videos, frames and poses into a folder."""
    return media.make(tmp_path_factory.mktemp('media'))


def digest(checkpoint):
    """Return a checksum of the weights in a checkpoint."""
    found = hashlib.sha256()
    weights = torch.load(checkpoint, weights_only=False)['state_dict']
    for name in sorted(weights):
        found.update(name.encode())
        found.update(weights[name].numpy().tobytes())
    return found.hexdigest()


@pytest.fixture
def compare_with_record():
    """Hold the weights of a run to those of another version of the code.

    ``GOLDEN_RECORD`` names a folder of checksums, one file a run. A run that
    it lacks is added; another checksum fails. They hold on the machine and the
    stack that wrote them.
    """
    path = os.environ.get('GOLDEN_RECORD')

    def compare(name, checkpoint):
        if path is None:
            return
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        file, found = folder / f'{name}.sha256', digest(checkpoint)
        if file.is_file():
            assert file.read_text() == found
        else:
            file.write_text(found)

    return compare
