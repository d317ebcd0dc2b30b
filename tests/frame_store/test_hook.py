"""Read full clips from a store in training without multigrid."""

import copy
import logging
import random
from types import SimpleNamespace

import numpy as np
import pytest
from mmaction_multigrid.frame_store import FrameStoreHook, build
from mmcv.transforms import BaseTransform
from mmengine.config import Config
from mmengine.runner import BaseLoop

from mmaction.registry import DATASETS, TRANSFORMS
from .test_sources import (READERS, concat, frames, pipeline, repeat,
                           sources_from, video)


@TRANSFORMS.register_module()
class MyNoise(BaseTransform):
    """A user's transform, for which no rule is registered."""

    def transform(self, results):
        return results


SEEN = ('frame_inds', 'crop_quadruple', 'flip', 'img_shape')
STEPS = [
    dict(type='Resize', scale=(-1, 64)),
    dict(type='RandomResizedCrop'),
    dict(type='Resize', scale=(40, 40), keep_ratio=False),
    dict(type='Flip'),
    dict(type='MyNoise'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=SEEN),
]


class Loop(BaseLoop):
    """A loop that has a dataset and runs nothing."""

    def run(self):
        raise NotImplementedError


def attach(dataset, store, splits=('train', )):
    """Build a dataset, and let the hook change it as a runner would."""
    built = DATASETS.build(copy.deepcopy(dataset))
    cfg = Config(dict(train_dataloader=dict(dataset=dataset)))
    runner = SimpleNamespace(
        cfg=cfg,
        logger=logging.getLogger(),
        _train_loop=Loop(None, SimpleNamespace(dataset=built)),
        _test_loop=dict())  # a run that only trains never builds it
    FrameStoreHook(str(store), splits).before_run(runner)
    return built


def steps_of(reader, **sampling):
    begin = pipeline(reader)[:-4]
    return [
        dict(step, **sampling) if step['type'] == 'SampleFrames' else step
        for step in begin
    ] + STEPS


@pytest.mark.parametrize('sampling', [
    dict(clip_len=4, frame_interval=2),
    dict(clip_len=1, num_clips=4),
    dict(clip_len=4, num_clips=2, test_mode=True)
])
@pytest.mark.parametrize('reader', READERS)
def test_clips_equal_those_of_the_originals(videos, tmp_path, reader,
                                            sampling):
    """Only JPEG changes their pixels."""
    make = frames if reader == 'frames' else video
    part = make(videos, pipeline=steps_of(reader, **sampling))
    dataset = repeat(concat(part, copy.deepcopy(part)))
    store = tmp_path / 'store'
    build.build(sources_from(dataset), store, [64])
    plain, ours = DATASETS.build(dataset), attach(dataset, store,
                                                  ('train', 'test'))
    for index in range(len(plain)):
        clips = []
        for each in (plain, ours):
            np.random.seed(index)
            random.seed(index)
            clips.append(each[index])
        stock, stored = clips
        for key in SEEN:
            assert np.array_equal(stock['data_samples'].get(key),
                                  stored['data_samples'].get(key))
        # JPEG keeps a quarter of the colours.
        error = (stock['inputs'].float() - stored['inputs'].float()).mean(1)
        assert stock['inputs'].shape == stored['inputs'].shape
        psnr = 20 * np.log10(255 / error.square().mean().sqrt().item())
        assert 35 < psnr < 100


@pytest.mark.parametrize(('splits', 'store', 'message'), [
    ('train', 'store', r"splits = 'train': must be a list of train, val"),
    (['training'], 'store', r"splits = \['training'\]: must be"),
    (['train'], 'gone', 'gone.*has no grid_store.json'),
    (['train'
      ], 'small', 'small.*edge of 24 pixels, .* need 64.*--sides 24 64'),
    (['train'], 'other', "other.*none of the train clips .* by 'decord'; add"),
    ([['train']], 'store', 'splits = .* must be'),
    (3, 'store', 'splits = 3: must be'),
    (['train'], 'list.txt', 'list.txt.*has no grid_store.json'),
])
def test_errors(videos, tmp_path, splits, store, message):
    dataset = video(videos, pipeline=steps_of('decord'))
    for name, short_edge in (('store', 64), ('small', 24)):
        build.build(sources_from(dataset), tmp_path / name, [short_edge])
    build.build(sources_from(video(videos, 'two')), tmp_path / 'other', [64])
    (tmp_path / 'list.txt').touch()
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        attach(dataset, tmp_path / store, splits)


def test_multigrid_training_has_a_key_of_its_own(videos, tmp_path):
    wrapped = dict(
        type='MultigridDataset',
        base_shape=(8, 40),
        dataset=video(videos, pipeline=steps_of('decord')))
    with pytest.raises(ValueError, match="leave 'train' out and set multi"):
        attach(wrapped, tmp_path)


def test_a_path_is_needed():
    with pytest.raises(TypeError, match='store = None: must be the path'):
        FrameStoreHook(None)
