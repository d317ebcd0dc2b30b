"""Make clips as videos and as pictures."""

import shutil

import cv2
import pytest
from mmaction_multigrid.frame_store.sources import Source, open_frames

from ..videos import encode


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Write two folders of clips of 10 to 13 frames, and their pictures."""
    folder = tmp_path_factory.mktemp('sources')
    for number in range(4):
        part, name = ('one', 'two')[number // 2], str(number % 2)
        (folder / part).mkdir(exist_ok=True)
        path = encode(folder / part / f'{name}.mp4', 10 + number, grain=8)
        pictures = folder / 'pictures' / part / name
        pictures.mkdir(parents=True)
        for i, frame in enumerate(open_frames(Source(str(path)))[2]):
            cv2.imwrite(str(pictures / f'{i + 3}.png'), frame)
    for name in ('clip.mkv', 'clip.ts', 'clip.h264'):  # without a count
        encode(folder / 'one' / name, 14, grain=8)
    return folder


@pytest.fixture
def videos(made, tmp_path):
    return shutil.copytree(made, tmp_path / 'data')
