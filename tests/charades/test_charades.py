"""A small Charades in the official layout, with real video files, from annotations to mAP."""

import json

import av
import mmaction.datasets  # noqa: F401
import mmaction.models  # noqa: F401
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.runner import Runner

import mmaction_multigrid.charades  # noqa: F401
from mmaction_multigrid import apply_multigrid

from ..conftest import ROOT
from ..toy import RecordHook, base_config, label_of, new_name

HEADER = 'id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length'
ROW = '{id},AB1C,Kitchen,6,7,Yes,"A person, who eats.",food;plate,"Eats.\nThen leaves.",{actions},{length}'
CONFIGS = ROOT / 'configs' / 'recognition' / 'slowfast'


def write_list(path, rows):
    path.write_text('\n'.join([HEADER, *(ROW.format(**row) for row in rows)]) + '\n')
    return str(path)


@pytest.fixture(scope='module')
def charades(tmp_path_factory):
    """Videos of 4 seconds at 10 frames a second; the first half is dark (c000), the second bright (c001)."""
    folder = tmp_path_factory.mktemp('charades')
    (folder / 'videos').mkdir()
    rows = []
    for i in range(16):
        name = f'V{i:04d}'
        with av.open(str(folder / 'videos' / f'{name}.mp4'), 'w') as container:
            stream = container.add_stream('libx264', rate=10)
            stream.width, stream.height, stream.pix_fmt = 64, 32, 'yuv420p'
            for t in range(40):
                frame = np.full((32, 64, 3), (20 if t < 20 else 220) + i, dtype=np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
            container.mux(stream.encode())
        rows.append(dict(id=name, actions='c000 0.00 1.95;c001 2.00 4.00', length='4.0'))
    write_list(folder / 'train.csv', rows)
    write_list(folder / 'test.csv', [*rows[:3], dict(rows[3], actions=''), dict(rows[4], actions='c156 0.5 0.6')])
    return folder


def steps(clip_len=8, label=True):
    sample = [dict(type='SampleFrames', clip_len=clip_len, frame_interval=1, num_clips=1)]
    return [dict(type='DecordInit'), *sample, *([dict(type='LabelSampledActions')] if label else []),
            dict(type='DecordDecode'), dict(type='Resize', scale=(-1, 18)), dict(type='RandomCrop', size=16),
            dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs', meta_keys=('sample_idx', ))]


def dataset(charades, split='train', pipeline=(), **kwargs):
    return DATASETS.build(dict(type='CharadesDataset', ann_file=str(charades / f'{split}.csv'), pipeline=list(pipeline),
                               data_prefix=dict(video=str(charades / 'videos')), **kwargs))


def test_annotations(charades):
    data = dataset(charades, 'test')
    assert len(data) == 5
    info = data.get_data_info(0)
    assert info['filename'] == str(charades / 'videos' / 'V0000.mp4')
    assert info['actions'] == [(0, 0., 1.95), (1, 2., 4.)]
    assert info['label'].nonzero().flatten().tolist() == [0, 1]
    assert data.get_data_info(3)['label'].sum() == 0
    assert data.get_data_info(4)['label'].nonzero().flatten().tolist() == [156]


def test_a_clip_has_the_actions_of_its_span(charades):
    data = dataset(charades, pipeline=steps())
    seen = set()
    for seed in range(40):
        np.random.seed(seed)
        sample = data[0]
        brightness = sample['inputs'].float().mean((0, 1, 3, 4))
        expected = {0} if brightness[-1] < 128 else {1} if brightness[0] > 128 else {0, 1}
        assert set(label_of(sample).nonzero().flatten().tolist()) == expected
        seen.add(frozenset(expected))
    assert len(seen) == 3


def test_without_the_transform_the_label_is_the_videos(charades):
    label = label_of(dataset(charades, pipeline=steps(label=False))[0])
    assert label.nonzero().flatten().tolist() == [0, 1]


@pytest.mark.parametrize(('row', 'message'), [
    (dict(actions='c157 0 1'), r"line 5: actions holds 'c157 0 1', whose class must be c000 to c156"),
    (dict(actions='092 0 1'), 'whose class must be'),
    (dict(actions='c001 3 1'), 'whose times must rise'),
    (dict(actions='c001 nan 1'), 'whose times must rise'),
    (dict(actions='c001 1'), "must be as 'c092 11.90 21.20'"),
    (dict(length='long'), "length = 'long' must be a number of seconds above 0"),
    (dict(length='0'), "length = '0'"),
    (dict(id=''), "id = '' must be the name of a video"),
    (dict(id='../V0001'), r"id = '\.\./V0001'"),
])
def test_bad_rows(charades, tmp_path, row, message):
    good = dict(id='V0000', actions='c000 0.00 1.00', length='4.0')
    write_list(tmp_path / 'train.csv', [good, {**good, **row}])
    with pytest.raises(ValueError, match=message) as error:
        dataset(tmp_path)
    assert str(tmp_path / 'train.csv') in str(error.value)


def test_missing_columns_and_cells(charades, tmp_path):
    (tmp_path / 'train.csv').write_text('id,length\nV0000,4\n')
    with pytest.raises(ValueError, match='line 1: the columns actions are missing'):
        dataset(tmp_path)
    (tmp_path / 'train.csv').write_text('id,length,actions\nV0000,4\n')
    with pytest.raises(ValueError, match='line 2: the column actions is missing'):
        dataset(tmp_path)


@pytest.mark.parametrize(('kind', 'channels'), [('MultiLabelSlowFastHead', 8), ('MultiLabelI3DHead', 4)])
def test_views_are_joined_by_the_largest_probability(kind, channels):
    head = MODELS.build(dict(type=kind, num_classes=2, in_channels=channels))
    logits = torch.tensor([[0., 2.], [1., -1.], [3., 0.], [0., 0.]])
    torch.testing.assert_close(head.average_clip(logits, num_segs=2), torch.tensor([[1., 2.], [3., 0.]]).sigmoid())
    head.ensemble = 'mean'
    expected = logits.sigmoid().view(2, 2, 2).mean(1)
    torch.testing.assert_close(head.average_clip(logits, num_segs=2), expected)
    with pytest.raises(ValueError, match=r"cls_head\.ensemble = 'median'"):
        MODELS.build(dict(type=kind, num_classes=2, in_channels=4, ensemble='median'))


@pytest.mark.filterwarnings('ignore:FileClient')
@pytest.mark.filterwarnings('ignore:invalid value:RuntimeWarning')
def test_train_and_test_with_multigrid(charades, tmp_path):
    """It learns dark from bright; 30 views in the test."""
    cfg = base_config(tmp_path, batch_size=1, max_epochs=12, milestones=(8, ))
    cfg.model.cls_head = dict(type='MultiLabelI3DHead', num_classes=157, in_channels=4, dropout_ratio=0.)
    data = dict(type='CharadesDataset', data_prefix=dict(video=str(charades / 'videos')))
    cfg.train_dataloader.dataset = dict(data, ann_file=str(charades / 'train.csv'), pipeline=steps())
    views = [dict(type='DecordInit'),
             dict(type='SampleFrames', clip_len=8, frame_interval=1, num_clips=10, test_mode=True),
             dict(type='DecordDecode'), dict(type='Resize', scale=(-1, 18)), dict(type='ThreeCrop', crop_size=18),
             dict(type='FormatShape', input_format='NCTHW'), dict(type='PackActionInputs')]
    cfg.val_dataloader.dataset = dict(data, ann_file=str(charades / 'test.csv'), pipeline=views, test_mode=True)
    cfg.val_dataloader.batch_size = 1
    cfg.val_evaluator = dict(type='AccMetric',
                             metric_list=('mean_average_precision', ))
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook',
                                        save_best='auto', rule='greater')
    cfg.optim_wrapper.optimizer.lr = 1.
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.train()
    assert len(RecordHook.records) == runner.max_iters
    scalars = [json.loads(line) for path in tmp_path.rglob('scalars.json') for line in path.read_text().splitlines()]
    name = 'acc/mean_average_precision'
    assert 0 < [entry[name] for entry in scalars if name in entry][-1] <= 1
    losses = [entry['loss'] for entry in scalars if 'loss' in entry]
    assert losses[-1] < losses[0] / 2
    clip = runner.val_dataloader.dataset[0]['inputs']
    assert clip.shape == (30, 3, 8, 18, 18)


def test_the_shipped_config():
    path = next(CONFIGS.glob('*-multigrid_*charades*'))
    cfg = apply_multigrid(Config.fromfile(path))
    assert set(cfg.custom_imports.imports) == {'mmaction_multigrid', 'mmaction_multigrid.charades'}
    types = [step.type for step in cfg.train_dataloader.dataset.dataset.pipeline]
    assert types.index('LabelSampledActions') == 2
