"""Load the clips of a stock config that a new numpy breaks."""

import pickle

import numpy as np
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.shapes import Shape
from mmengine.config import Config

from mmaction.registry import DATASETS
from ..videos import encode

CONFIG = """
_base_ = ['mmaction::skeleton/posec3d/rgbpose_conv3d/rgbpose_conv3d.py']
multigrid = dict()
train_dataloader = dict(dataset=dict(
    ann_file='{data}/poses.pkl', data_prefix=dict(video='{data}')))
"""


def test_poses_and_videos(tmp_path):
    """No clip may fail at any shape."""
    encode(tmp_path / 'a.avi', 40, 64, 48)
    (tmp_path / 'a.avi').rename(tmp_path / 'a.mp4')
    pose = dict(
        frame_dir='a',
        filename='a.mp4',
        label=0,
        total_frames=40,
        img_shape=(48, 64),
        original_shape=(48, 64),
        keypoint=np.random.RandomState(0).rand(1, 40, 17, 2) * 40,
        keypoint_score=np.ones((1, 40, 17), np.float16))
    (tmp_path / 'poses.pkl').write_bytes(
        pickle.dumps(
            dict(annotations=[pose], split=dict(xsub_train=['a', 'a.mp4']))))
    (tmp_path / 'config.py').write_text(CONFIG.format(data=tmp_path))
    cfg = apply_multigrid(Config.fromfile(tmp_path / 'config.py'))
    loader = cfg.train_dataloader
    data = DATASETS.build(loader.dataset)
    data.set_epoch(0, 0)
    shapes = {
        Shape(*shape)
        for stage in loader.batch_sampler.stages for shape in stage['shapes']
    }
    for shape in shapes:
        data[0, shape]
    assert data.tries == (len(shapes), 0) and len(shapes) > 5
