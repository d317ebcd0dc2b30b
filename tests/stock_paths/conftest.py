"""A user's machine: the wheel, made-up data, a folder of one's own."""

import pytest

from ..wheel import WarmPython
from . import media


@pytest.fixture(scope='session')
def data(tmp_path_factory):
    """Folder of videos, frames and poses."""
    return media.make(tmp_path_factory.mktemp('media'))


@pytest.fixture(scope='session')
def python(tmp_path_factory, installed):
    """A Python that has the package from its wheel; see ``WarmPython``."""
    python = WarmPython(installed / 'python', tmp_path_factory.mktemp('out'))
    yield python
    python.close()
