"""Fixtures of several packages' tests."""

import json
import logging
import os
from pathlib import Path

# Tests compare bits, and sums on a GPU have no fixed order: all tests but
# those of test_gpu.py run on the CPU.
if not os.environ.get('TEST_ON_GPU'):
    os.environ['CUDA_VISIBLE_DEVICES'] = ''

# before anything imports mmaction.models
import mmaction_multigrid  # noqa: F401
import pytest
import torch
from filelock import FileLock
from hypothesis import settings
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

from . import plain_text, wheel  # noqa: F401
from .small import digits, small_config, trained  # noqa: F401

ROOT = Path(__file__).parent.parent

settings.register_profile(
    'default', deadline=None, max_examples=100, derandomize=True)
settings.load_profile('default')

# Data workers whose loader was collected as garbage miss the request to end
# and are terminated after this many seconds, instead of five.
torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL = 0.5


@pytest.fixture(autouse=True)
def clean_globals():
    """Give every test its own globals of mmengine.

    They hold the current scope, loggers and visualizers.
    """
    from .toy import RecordHook
    torch.set_num_threads(1)
    managers = (DefaultScope, MessageHub, MMLogger, Visualizer)
    saved = [dict(manager._instance_dict) for manager in managers]
    RecordHook.records.clear()
    DefaultScope.get_instance('test', scope_name='mmaction')
    yield
    for manager, instances in zip(managers, saved):
        for logger in set(manager._instance_dict) - set(instances):
            for handler in getattr(manager._instance_dict[logger], 'handlers',
                                   []):
                if isinstance(handler, logging.FileHandler):
                    handler.close()
        manager._instance_dict.clear()
        manager._instance_dict.update(instances)


@pytest.fixture(
    scope='session', params=['k400_slowfast_8x8', 'i3d_100e', 'short_only'])
def reference(request):
    """Return input and output of the reference implementation."""
    return json.loads(
        (ROOT / 'tests' / 'reference' / f'{request.param}.json').read_text())


def once(tmp_path_factory, name, make):
    """Make a folder once for all workers of pytest-xdist, and return it."""
    base = tmp_path_factory.getbasetemp()
    if 'PYTEST_XDIST_WORKER' in os.environ:
        base = base.parent
    with FileLock(base / f'{name}.lock'):
        if not (base / name).exists():
            (base / name).mkdir()
            make(base / name)
    return base / name


@pytest.fixture(scope='session')
def built(tmp_path_factory):
    """Return the folder of an sdist and of the wheel built from it."""
    return once(tmp_path_factory, 'built', wheel.build) / 'dist'


@pytest.fixture(scope='session')
def installed(tmp_path_factory, built):
    """Return the Python of an environment that holds the wheel."""
    folder = once(tmp_path_factory, 'installed',
                  lambda folder: wheel.install(built, folder))
    return folder / 'env' / 'bin' / 'python'


@pytest.fixture(scope='session')
def python(tmp_path_factory, installed):
    """Return the same Python, started; see ``WarmPython``."""
    python = wheel.WarmPython(installed, tmp_path_factory.mktemp('out'))
    yield python
    python.close()
