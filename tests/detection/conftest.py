"""Install mmdet, and make clips with boxes."""

import sys
from functools import partial

import cv2
import pytest

from .. import wheel
from ..conftest import ROOT
from ..small import load_tool
from ..stock_paths.media import write_video


@pytest.fixture(scope='session')
def actors(tmp_path_factory):
    """Make 16 key frames to train on and 4 to validate on."""
    folder = tmp_path_factory.mktemp('actors')
    load_tool('data/moving_actors').make(folder, 16, 4)
    (folder / 'videos').mkdir()
    for clip in (folder / 'frames').iterdir():
        frames = [cv2.imread(str(path)) for path in sorted(clip.iterdir())]
        write_video(folder / 'videos' / f'{clip.name}.mp4', frames)
    return folder


@pytest.fixture(scope='session')
def detect(tmp_path_factory, python):
    """Return ``python`` with mmdet, which other tests must not import."""
    folder = tmp_path_factory.mktemp('mmdet')
    wheel.call(sys.executable, '-m', 'pip', '--disable-pip-version-check',
               'install', '--no-deps', '--target', folder, 'mmdet==3.3.0')
    script = ROOT / 'tests' / 'detection' / 'stand_ins.py'
    return partial(python, script, folder)
