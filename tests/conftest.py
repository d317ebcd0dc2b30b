"""Fixtures that the rooms' tests share."""

import json
import logging
import os
from pathlib import Path
from unittest import mock

# Tests compare bits, which a GPU adds up in an order of its own: all but those
# of test_gpu.py run on the CPU.
if not os.environ.get('TEST_ON_GPU'):
    os.environ['CUDA_VISIBLE_DEVICES'] = ''

# before anything imports mmaction.models
import mmaction_multigrid  # noqa: F401
import pytest
import torch
from hypothesis import settings
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

from . import wheel
# fixtures of many rooms' tests
from .small import digits, small_config, trained  # noqa: F401

ROOT = Path(__file__).parent.parent

settings.register_profile(
    'default', deadline=None, max_examples=100, derandomize=True)
settings.load_profile('default')


@pytest.fixture(autouse=True)
def clean_globals():
    """mmengine keeps the current scope, loggers and visualizers in globals:

    every test gets its own.
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


@pytest.fixture(scope='session', autouse=True)
def plain_config_text():
    """mmengine lays out the whole config anew for every checkpoint: seconds,
    of which a toy run has dozens."""
    with mock.patch('mmengine.config.config.FormatCode',
                    (lambda text, **kwargs: (text, False))):
        yield


@pytest.fixture(
    scope='session', params=['k400_slowfast_8x8', 'i3d_100e', 'short_only'])
def reference(request):
    """Input and output of the method's reference implementation, copied as
    facts into tests/reference."""
    return json.loads(
        (ROOT / 'tests' / 'reference' / f'{request.param}.json').read_text())


@pytest.fixture(scope='session')
def built(tmp_path_factory):
    """Folder of an sdist, and of the wheel that is built from it."""
    return wheel.build(tmp_path_factory.mktemp('built'))


@pytest.fixture(scope='session')
def installed(tmp_path_factory, built):
    """Scripts' folder of an environment that holds the wheel."""
    return wheel.install(built, tmp_path_factory.mktemp('installed'))
