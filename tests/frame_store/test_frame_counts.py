"""Videos whose header holds no number of frames, or a wrong one."""

import cv2
import mmaction.datasets  # noqa: F401
import numpy as np
import pytest
from mmaction.registry import TRANSFORMS

from mmaction_multigrid.datasets import (
    Grid,
    MultigridDataset,
    MultigridTransform,
    open_grid,
)
from mmaction_multigrid.schedule import Shape
from mmaction_multigrid.frame_store import GridStoreInit
from mmaction_multigrid.frame_store.build import build
from mmaction_multigrid.frame_store.copying import Settings
from mmaction_multigrid.frame_store.sources import source_of

from ..videos import encode, encode_colours

PIPELINE = [
    dict(type='PyAVInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=1),
    dict(type='PyAVDecode'),
    dict(type='Resize', scale=(-1, 36)),
    dict(type='RandomCrop', size=32),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]


@pytest.mark.parametrize('name', ['a.mkv', 'a.ts', 'a.h264', 'a.mp4'])
def test_pyav_clips_are_the_same_with_and_without_a_store(
        tmp_path, monkeypatch, name):
    """Of the frames that were drawn, coarse and full; with one warning."""
    encode_colours(tmp_path / name,
                   [(10 * i, 10 * i, 10 * i) for i in range(20)])
    (tmp_path / 'list.txt').write_text(f'{name} 0\n' * 3)
    build([
        source_of(dict(filename=str(tmp_path / name)), str(tmp_path), 'pyav')
    ],
          tmp_path / 'store',
          Settings((18, )),
          processes=1)
    config = dict(
        type='VideoDataset',
        ann_file=str(tmp_path / 'list.txt'),
        data_prefix=dict(video=str(tmp_path)),
        pipeline=PIPELINE)
    greys, warnings = [], []
    monkeypatch.setattr('mmaction_multigrid.datasets.missing.print_log',
                        lambda text, **_: warnings.append(text))
    for steps in (PIPELINE,
                  GridStoreInit.insert(config, str(tmp_path / 'store'))):
        warnings.clear()
        data = MultigridDataset(
            dict(config, pipeline=MultigridTransform.wrap_pipeline(steps)),
            (8, 32))
        assert ['holds no number of frames' in text
                for text in warnings] == ([] if name == 'a.mp4' else [True])
        data.set_epoch(0, 0)
        for shape in (Shape(8, 4, 16), Shape(1, 8, 32)):
            greys.append(data[0, shape]['inputs'].float().mean((0, 1, 3, 4)))
            assert (greys[-1].diff() > 5).all()
    assert (greys[0] - greys[2]).abs().max() < 3 and (greys[1]
                                                      == greys[3]).all()


def test_opencv_samples_from_its_estimate_with_and_without_a_store(tmp_path):
    """Of a video of variable rate, in which it takes 24 frames for more."""
    info = dict(
        filename=str(
            encode(tmp_path / 'a.mkv', 24, step=lambda i: 1 + i % 5,
                   grain=16)),
        start_index=0)
    build([source_of(info, str(tmp_path), 'opencv')],
          tmp_path / 'store',
          Settings((32, )),
          processes=1)
    init = TRANSFORMS.build(
        dict(
            type='GridStoreInit',
            store=str(tmp_path / 'store'),
            root=str(tmp_path),
            short_side=64,
            original=dict(type='OpenCVInit')))
    decode = TRANSFORMS.build(
        dict(type='GridStoreDecode', original=dict(type='OpenCVDecode')))
    wanted = np.array([0, 12, 23, 24, 60])
    with open_grid(Grid(4, 16, 8, 32)):
        ours, stock = init(dict(info)), init.original(dict(info))
    assert ours['total_frames'] == stock['total_frames'] > 60
    ours, stock = decode(dict(ours, frame_inds=wanted)), decode(
        dict(stock, frame_inds=wanted))
    for one, other in zip(ours['imgs'], stock['imgs']):
        small = cv2.resize(
            other, one.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert np.abs(one.mean(-1) - small.mean(-1)).mean() < 5
