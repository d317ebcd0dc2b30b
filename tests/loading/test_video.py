"""Read videos and frames by every decoder of MMAction2."""

import cv2
import numpy as np
import pytest
from mmaction_multigrid.config.pipeline import wrap_pipeline
from mmaction_multigrid.core.dataset import MultigridDataset
from mmaction_multigrid.core.shapes import Shape

import mmaction.datasets  # noqa: F401
from mmaction.registry import DATASETS
from ..toy import label_of
from ..videos import encode_colours

COARSE, BASE = Shape(8, 4, 28), Shape(1, 16, 40)
DECODERS = dict(
    decord=[dict(type='DecordInit'),
            dict(type='DecordDecode')],
    pyav=[dict(type='PyAVInit'),
          dict(type='PyAVDecode')],
    opencv=[dict(type='OpenCVInit'),
            dict(type='OpenCVDecode')],
    frames=[None, dict(type='RawFrameDecode')])


@pytest.fixture(scope='module')
def clips(tmp_path_factory):
    """Write 24 frames that get brighter as a video and as pictures."""
    folder = tmp_path_factory.mktemp('video')
    colours = [(40 + 6 * i, ) * 3 for i in range(24)]
    encode_colours(folder / 'clip.mp4', colours, 96, 64)
    (folder / 'clip').mkdir()
    for i, colour in enumerate(colours):
        frame = np.full((64, 96, 3), colour, dtype=np.uint8)
        cv2.imwrite(str(folder / 'clip' / f'img_{i + 1:05d}.jpg'), frame)
    (folder / 'videos.txt').write_text('clip.mp4 3\n')
    (folder / 'frames.txt').write_text('clip 24 3\n')
    return folder


def dataset(clips, decoder):
    init, decode = DECODERS[decoder]
    steps = [
        dict(type='SampleFrames', clip_len=16, frame_interval=1, num_clips=1),
        decode,
        dict(type='Resize', scale=(-1, 48)),
        dict(type='RandomCrop', size=40),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs')
    ]
    steps = wrap_pipeline(([init] if init else []) + steps)
    if decoder == 'frames':
        config = dict(
            type='RawframeDataset',
            ann_file=str(clips / 'frames.txt'),
            data_prefix=dict(img=str(clips)),
            filename_tmpl='img_{:05}.jpg',
            pipeline=steps)
    else:
        config = dict(
            type='VideoDataset',
            ann_file=str(clips / 'videos.txt'),
            data_prefix=dict(video=str(clips)),
            pipeline=steps)
    return MultigridDataset(DATASETS.build(config), (16, 40))


@pytest.mark.filterwarnings('ignore')  # the decoders' own
@pytest.mark.parametrize('decoder', DECODERS)
@pytest.mark.parametrize('shape', [COARSE, BASE])
def test_every_decoder(clips, decoder, shape):
    np.random.seed(0)
    sample = dataset(clips, decoder)[(0, shape)]
    video = sample['inputs']
    assert video.shape == (1, 3, shape.num_frames, shape.crop_size,
                           shape.crop_size)
    brightness = video[0].float().mean((0, 2, 3))
    # Six levels a frame; a coarse clip of 4 takes every 1st to 4th.
    steps = np.diff(brightness.numpy()) / 6
    interval = round(float(steps.mean()))
    assert 1 <= interval <= 16 // shape.num_frames
    np.testing.assert_allclose(steps, interval, atol=0.5)
    assert label_of(sample).item() == 3
