"""Complete settings from the config: BN statistics, lr rule, ``'auto'``."""

import copy

import pytest
from mmaction_multigrid import apply_multigrid, multigrid_schedule
from mmaction_multigrid.config.auto import (count_clips, count_processes,
                                            lr_rule)
from mmaction_multigrid.config.resolve import LOADER_TIMEOUT
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import Sampler

from mmaction.datasets import VideoDataset
from mmaction.registry import DATA_SAMPLERS, DATASETS
from ..toy import base_config


def schedule(tmp_path, **settings):
    clips, processes = (settings.pop('clips',
                                     None), settings.pop('processes', None))
    return multigrid_schedule(
        base_config(tmp_path, **settings), clips, processes)[0]


@pytest.mark.parametrize(('optimizer', 'rule'), [
    ('SGD', 'linear'),
    ('AdamW', 'sqrt'),
    ('torch.optim.NAdam', 'sqrt'),
    ('LAMB', 'sqrt'),
])
def test_the_lr_rule_of_an_optimizer(tmp_path, optimizer, rule):
    assert lr_rule(dict(optimizer=dict(type=optimizer, lr=1.))) == rule
    cfg = base_config(tmp_path)
    cfg.optim_wrapper.optimizer.type = optimizer
    assert multigrid_schedule(cfg)[0].settings.lr_scaling == rule
    cfg.multigrid.lr_scaling = 'none'
    assert multigrid_schedule(cfg)[0].settings.lr_scaling == 'none'


def test_auto_counts_the_clips(tmp_path, monkeypatch):
    auto = dict(max_batch_factor='auto', max_epochs=60, milestones=(20, 40))
    # 64 clips in batches of 2 are 60 x 32 updates of base training, which no
    # larger batches leave.
    few, many = (schedule(tmp_path, **auto).settings,
                 schedule(tmp_path, clips=10**5, **auto).settings)
    assert (few.max_batch_factor, few.epoch_factor, few.finish) == (2, 1, .5)
    assert (many.max_batch_factor, many.epoch_factor,
            many.finish) == (None, 1.5, 'short_cycle')
    # What the config sets stays.
    set_here = schedule(tmp_path, epoch_factor=2, finish='full', **auto)
    assert (set_here.settings.max_batch_factor, set_here.settings.epoch_factor,
            set_here.settings.finish) == (2, 2, 'full')
    assert (schedule(tmp_path, clips=10**5, processes=10**4,
                     **auto).settings.max_batch_factor == 2)
    cfg = base_config(tmp_path, **auto)
    sampler = apply_multigrid(cfg).train_dataloader.batch_sampler
    assert {shape[0]
            for stage in sampler.stages
            for shape in stage['shapes']} == {1, 2}
    monkeypatch.setenv('WORLD_SIZE', '10000')
    cfg.launcher = 'pytorch'
    assert multigrid_schedule(cfg, 10**5)[0].settings.max_batch_factor == 2


def test_auto_without_data_is_refused(tmp_path):
    cfg = base_config(tmp_path, max_batch_factor='auto')
    cfg.train_dataloader.dataset = dict(
        type='VideoDataset',
        ann_file='nowhere.txt',
        pipeline=cfg.train_dataloader.dataset.pipeline)
    with pytest.raises(
            ValueError,
            match="max_batch_factor = 'auto': needs to know how many clips"):
        apply_multigrid(cfg)
    assert multigrid_schedule(cfg, clips=64)[0].settings.max_batch_factor == 2


@pytest.mark.parametrize(('clips', 'cure'),
                         [(8, 'lower multigrid.max_batch_factor, or lower'),
                          (7, 'lower')])
def test_a_batch_larger_than_the_dataset(tmp_path, clips, cure):
    """The message names the limit where that works."""
    cfg = base_config(tmp_path, num_clips=clips, batch_size=8)

    def build():
        return Runner.build_dataloader(apply_multigrid(cfg).train_dataloader)

    with pytest.raises(
            ValueError,
            match='clips of a process do not fill one '
            rf'batch of \d+, .*\); {cure} train_dataloader.batch'):
        build()
    cfg.multigrid.max_batch_factor = 1
    if clips >= 8:
        build()


@pytest.mark.parametrize(('launcher', 'variable', 'expected'), [
    ('none', 'WORLD_SIZE', 1),
    ('pytorch', 'WORLD_SIZE', 4),
    ('slurm', 'SLURM_NTASKS', 4),
    ('mpi', 'OMPI_COMM_WORLD_SIZE', 4),
])
def test_processes_of_a_launcher(monkeypatch, launcher, variable, expected):
    for name in ('WORLD_SIZE', 'SLURM_NTASKS', 'OMPI_COMM_WORLD_SIZE'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, '4')
    assert count_processes(dict(launcher=launcher)) == expected


@DATASETS.register_module()
class CategoriesDataset(VideoDataset):
    """Dataset with categories, for ``ClassBalancedDataset``."""

    def get_cat_ids(self, idx):
        return [self.get_data_info(idx)['label']]


@DATA_SAMPLERS.register_module()
class ThriceSampler(Sampler):
    """Sampler of a user."""

    def __init__(self, dataset, seed):
        self.labels = [
            dataset.get_data_info(i)['label'] for i in range(len(dataset))
        ]

    def __len__(self):
        return 3 * len(self.labels)


PART = dict(
    type='VideoDataset', ann_file='list.txt',
    pipeline=[dict(type='Nowhere')])  # no transform is needed to count
REPEATED = dict(type='RepeatDataset', times=4, dataset=PART)
RARE = dict(
    type='ClassBalancedDataset',
    oversample_thr=0.5,
    dataset=dict(PART, type='CategoriesDataset'))
AUGMENTED = dict(
    PART,
    type='RepeatAugDataset',
    pipeline=[
        dict(type='DecordInit'),
        dict(type='SampleFrames', clip_len=8),
        dict(type='DecordDecode'),
    ])
EPOCHS = [
    (PART, None, 3), (REPEATED, None, 12), (RARE, None, 4),
    *([(AUGMENTED, None, 3)] if DATASETS.get('RepeatAugDataset') else []),
    (dict(PART, indices=2), None, 2),
    (dict(PART, ann_file='nowhere.txt'), None, None),
    (dict(type='ConcatDataset', datasets=[REPEATED, PART]), None, 15),
    (dict(type='RepeatDataset', times=2, dataset=REPEATED), None, 24),
    (PART, dict(type='ThriceSampler'), 9),
    (RARE, dict(type='DefaultSampler', shuffle=True), 4)
]


@pytest.mark.parametrize('scope', ['mmaction', None])
@pytest.mark.parametrize(('dataset', 'sampler', 'clips'), EPOCHS)
def test_clips_of_an_epoch(tmp_path, monkeypatch, scope, dataset, sampler,
                           clips):
    """Count them before the Runner is built, in stock configs too."""
    (tmp_path / 'list.txt').write_text('a 0\nb 1\nc 0\n')
    monkeypatch.chdir(tmp_path)
    dataset = copy.deepcopy(dataset)
    if scope is None:
        DefaultScope._instance_dict.clear()
    else:  # as in what comes through mmaction::
        dataset['_scope_'] = scope
    before = copy.deepcopy(dataset)
    assert count_clips(dict(dataset=dataset, sampler=sampler)) == clips
    assert dataset == before


@pytest.mark.parametrize('workers', [0, 2])
def test_a_users_loader_is_kept(tmp_path, workers):
    cfg = base_config(tmp_path, workers=workers)
    assert apply_multigrid(cfg).train_dataloader.get('timeout') == (
        LOADER_TIMEOUT if workers else None)
    own = dict(
        timeout=30,
        prefetch_factor=3,
        pin_memory=False,
        collate_fn=dict(type='default_collate'))
    cfg.train_dataloader.update(own)
    loader = apply_multigrid(cfg).train_dataloader
    assert {key: loader[key] for key in own} == own
    assert apply_multigrid(cfg).val_dataloader == cfg.val_dataloader
