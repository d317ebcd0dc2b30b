"""Load stock configs that a new numpy or a wrong list breaks."""

import pickle

import numpy as np
import pytest
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.shapes import Shape
from mmengine.config import Config
from mmengine.runner import Runner

from mmaction.registry import DATASETS, RUNNERS
from ..toy import new_name
from ..videos import encode

HEAD = """
_base_ = ['mmaction::{base}']
custom_imports = dict(imports=['mmaction_multigrid'],
                      allow_failed_imports=False)
runner_type = 'MultigridRunner'
multigrid = dict({multigrid})
data = '{data}'
"""
POSES = """
part = dict(ann_file=data + '/poses.pkl'{more})
train_dataloader = dict(dataset=dict({dataset}))
"""
# Small enough to train and to test in seconds.
SLOWONLY = """
model = dict(backbone=dict(depth=18, base_channels=8, pretrained=None),
             cls_head=dict(num_classes=2, in_channels=64))
part = dict(ann_file=data + '/list.txt', data_prefix=dict(video=data))
train_dataloader = dict(batch_size=1, num_workers=0,
                        persistent_workers=False, dataset=part)
val_dataloader = dict(num_workers=0, persistent_workers=False, dataset=part)
test_dataloader = dict(num_workers=0, persistent_workers=False, dataset=dict(
    ann_file=data + '/list.txt', data_prefix=dict(video=data),
    pipeline={{{{_base_.val_pipeline}}}}))
randomness = dict(seed=0)
"""
POSE_CONFIGS = [('posec3d/slowonly_r50_8xb16-u48-240e_gym-keypoint.py',
                 'dataset=part', ''),
                ('posec3d/rgbpose_conv3d/rgbpose_conv3d.py', '**part',
                 ', data_prefix=dict(video=data)')]


def stock_config(folder, base, text, multigrid='', name='ours', **values):
    """Return a config in a new folder that inherits MMAction2's."""
    path = folder / f'{name}.py'
    path.write_text(
        (HEAD +
         text).format(base=base, multigrid=multigrid, data=folder, **values))
    cfg = Config.fromfile(path)
    cfg.work_dir = str(folder / name)
    return cfg


def load_clips(cfg, number=1):
    """Load the first clips at each shape, none of which may fail."""
    loader = apply_multigrid(cfg).train_dataloader
    data = DATASETS.build(loader.dataset)
    data.set_epoch(0, 0)
    shapes = {
        Shape(*shape)
        for stage in loader.batch_sampler.stages for shape in stage['shapes']
    }
    for shape in shapes:
        for index in range(number):
            data[index, shape]
    assert data.tries == (len(shapes) * number, 0) and len(shapes) > 5


def write_videos(folder, labels):
    for i in range(len(labels)):
        encode(folder / f'{i}.mp4', 40, 64, 48)
    (folder /
     'list.txt').write_text(''.join(f'{i}.mp4 {label}\n'
                                    for i, label in enumerate(labels)))


@pytest.mark.parametrize(('base', 'dataset', 'more'), POSE_CONFIGS)
def test_poses_of_stock_configs(tmp_path, base, dataset, more):
    encode(tmp_path / 'a.avi', 40, 64, 48)
    random = np.random.RandomState(0)
    poses = [
        dict(
            frame_dir='a',
            filename='a.mp4',
            label=i,
            total_frames=40,
            img_shape=(48, 64),
            original_shape=(48, 64),
            keypoint=random.rand(1, 40, 17, 2).astype(np.float16) * 40,
            keypoint_score=np.ones((1, 40, 17), np.float16)) for i in range(2)
    ]
    (tmp_path / 'a.avi').rename(tmp_path / 'a.mp4')
    names = ['a', 'a.mp4']
    (tmp_path / 'poses.pkl').write_bytes(
        pickle.dumps(
            dict(annotations=poses, split=dict(train=names,
                                               xsub_train=names))))
    load_clips(
        stock_config(
            tmp_path, f'skeleton/{base}', POSES, dataset=dataset, more=more))


SMALL = ('recognition/slowonly/'
         'slowonly_r50_8xb16-4x16x1-256e_kinetics400-rgb.py', SLOWONLY)


def test_a_class_beyond_the_head_is_an_error(tmp_path):
    """The error comes before the first iteration."""
    write_videos(tmp_path, [0, 1, 2])
    cfg = stock_config(tmp_path, *SMALL, multigrid="max_batch_factor='auto'")
    with pytest.raises(
            ValueError,
            match=r"list.txt': .*2\.mp4 has class 2, "
            'but num_classes = 2 allows 0 to 1'):
        RUNNERS.build(new_name(cfg)).train()


def test_testing_needs_nothing_of_the_training(tmp_path):
    """The scores equal those without the package."""
    write_videos(tmp_path, [0, 1, 0])
    found = []
    for name, multigrid in [('ours',
                             "max_batch_factor='auto', grid_store='nowhere'"),
                            ('plain', '')]:
        cfg = stock_config(tmp_path, *SMALL, multigrid=multigrid, name=name)
        cfg.train_dataloader.dataset.ann_file = 'nowhere.txt'
        if name == 'plain':
            for plain in (apply_multigrid(cfg), cfg):
                plain.pop('runner_type', None)
                found.append(Runner.from_cfg(new_name(plain)).test())
        else:
            runner = RUNNERS.build(new_name(cfg))
            found.append(runner.test())
            with pytest.raises(ValueError, match='nowhere'):
                runner.train()
    assert found[0] == found[1] == found[2]
