"""Train and test on a small Charades in the official layout."""

import mmaction_multigrid.charades  # noqa: F401
import numpy as np
import pytest
import torch
from mmaction_multigrid import apply_multigrid
from mmengine.runner import Runner

import mmaction.datasets  # noqa: F401
import mmaction.models  # noqa: F401
from mmaction.registry import DATASETS, MODELS
from .small import scalars
from .toy import RecordHook, base_config, label_of, new_name
from .videos import encode_colours

HEADER = ('id,subject,scene,quality,relevance,verified,script,'
          'objects,descriptions,actions,length')
ROW = ('{id},AB1C,Kitchen,6,7,Yes,"A person, who eats.",food;plate,'
       '"Eats.\nThen leaves.",{actions},{length}')
GOOD = dict(id='V0000', actions='c000 0.00 0.78;c001 0.80 1.60', length='1.6')


def write_list(path, rows):
    path.write_text(
        '\n'.join([HEADER, *(ROW.format(**{
            **GOOD,
            **row
        }) for row in rows)]) + '\n')


@pytest.fixture(scope='module')
def charades(tmp_path_factory):
    """Write videos with a dark first half (c000) and a bright second
    (c001)."""
    folder = tmp_path_factory.mktemp('charades')
    rows = [dict(id=f'V{i:04d}') for i in range(16)]
    for row in rows:
        encode_colours(folder / f'{row["id"]}.mp4',
                       [(20, 20, 20)] * 20 + [(220, 220, 220)] * 20, 64, 32)
    write_list(folder / 'train.csv', rows)
    write_list(folder / 'test.csv', [
        *rows[:3],
        dict(rows[3], actions=''),
        dict(rows[4], actions='c156 0.5 0.6')
    ])
    return folder


def steps(*label, crop='RandomCrop', **sample):
    size = dict(size=16) if crop == 'RandomCrop' else dict(crop_size=18)
    return [
        dict(type='DecordInit'),
        dict(type='SampleFrames', clip_len=8, frame_interval=1, **sample),
        *label,
        dict(type='DecordDecode'),
        dict(type='Resize', scale=(-1, 18)),
        dict(type=crop, **size),
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs', meta_keys=('sample_idx', ))
    ]


LABEL = dict(type='LabelSampledActions')


def config(charades, split='train', pipeline=(), **kwargs):
    return dict(
        type='CharadesDataset',
        ann_file=str(charades / f'{split}.csv'),
        pipeline=list(pipeline),
        data_prefix=dict(video=str(charades)),
        **kwargs)


def classes(label):
    return set(label.nonzero().flatten().tolist())


def test_annotations(charades):
    data = DATASETS.build(config(charades, 'test'))
    info = data.get_data_info(0)
    assert info['filename'] == str(charades / 'V0000.mp4')
    assert info['actions'] == [(0, 0., 0.78), (1, 0.8, 1.6)]
    assert ([classes(data.get_data_info(i)['label'])
             for i in range(5)] == [{0, 1}] * 3 + [set(), {156}])


def test_a_clip_has_the_actions_of_its_span(charades):
    data = DATASETS.build(config(charades, pipeline=steps(LABEL)))
    seen = set()
    for seed in range(40):
        np.random.seed(seed)
        sample = data[0]
        first, *_, last = sample['inputs'].float().mean((0, 1, 3, 4)) > 128
        seen.add((bool(first), bool(last)))
        assert classes(label_of(sample)) == {int(first), int(last)}
    assert len(seen) == 3
    whole = DATASETS.build(config(charades, pipeline=steps()))
    assert classes(label_of(whole[0])) == {0, 1}


@pytest.mark.parametrize(('row', 'message'), [
    *((dict(actions=text), f"line 5: actions holds '{text}', which must be as "
       "'c092 11.90 21.20': a class of c000 to c156")
      for text in ('c157 0 1', 'c001 3 1', 'c001 nan 1', 'c001 1')),
    *((dict(length=text),
       f"length = '{text}' must be a number of seconds above")
      for text in ('long', '0', 'inf')),
    *((text, 'line 2: must have the columns id, actions, length')
      for text in ('id,length\nV0000,4\n', 'id,length,actions\nV0000,4\n')),
])
def test_bad_rows(tmp_path, row, message):
    path = tmp_path / 'train.csv'
    if isinstance(row, str):
        path.write_text(row)
    else:
        write_list(path, [{}, row])
    with pytest.raises(ValueError, match=f'^{path}.*{message}'):
        DATASETS.build(config(tmp_path))


@pytest.mark.parametrize('kind',
                         ['MultiLabelSlowFastHead', 'MultiLabelI3DHead'])
def test_views_are_joined(kind):
    head = MODELS.build(dict(type=kind, num_classes=2, in_channels=8))
    views = torch.tensor([[[0., 2.], [1., -1.]], [[3., 0.], [0., 0.]]])
    torch.testing.assert_close(
        head.average_clip(views.flatten(0, 1), num_segs=2),
        views.sigmoid().amax(1))


@pytest.mark.filterwarnings('ignore:FileClient')
@pytest.mark.filterwarnings('ignore:invalid value:RuntimeWarning')
def test_train_and_test_with_multigrid(charades, tmp_path):
    """Learn dark from bright, and test with 30 views."""
    cfg = base_config(tmp_path, batch_size=1, max_epochs=12, milestones=(8, ))
    cfg.model.cls_head = dict(
        type='MultiLabelI3DHead',
        num_classes=157,
        in_channels=4,
        dropout_ratio=0.)
    cfg.train_dataloader.dataset = config(charades, 'train', steps(LABEL))
    cfg.val_dataloader.dataset = config(
        charades,
        'test',
        steps(crop='ThreeCrop', num_clips=10, test_mode=True),
        test_mode=True)
    cfg.val_dataloader.batch_size = 1
    cfg.val_evaluator = dict(
        type='AccMetric', metric_list=('mean_average_precision', ))
    cfg.default_hooks.checkpoint = dict(
        type='CheckpointHook',
        rule='greater',
        save_best='acc/mean_average_precision')
    cfg.optim_wrapper.optimizer.lr = 1.
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    runner.train()
    assert len(RecordHook.records) == runner.max_iters
    assert list(tmp_path.glob('best_acc_mean_average_precision*.pth'))
    losses = [entry['loss'] for entry in scalars(tmp_path)]
    assert losses[-1] < losses[0] / 2
    clip = runner.val_dataloader.dataset[0]['inputs']
    assert clip.shape == (30, 3, 8, 18, 18)
