"""Load batches in pieces, by all workers at once."""

import pytest
from mmaction_multigrid import register_transform_rule
from mmcv.transforms import BaseTransform
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS
from torch.utils.data import get_worker_info

from mmaction.registry import HOOKS, TRANSFORMS
from ..engine.test_training import train
from ..toy import base_config


@TRANSFORMS.register_module()
class TellWorker(BaseTransform):
    """Add the worker's number to the clip's."""

    def transform(self, results):
        results['sample_idx'] = (results['sample_idx'], get_worker_info().id)
        return results


register_transform_rule('TellWorker')


@HOOKS.register_module()
class WorkersHook(Hook):
    """Record the size of every batch and the workers that loaded it."""
    seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        samples = data_batch['data_samples']
        WorkersHook.seen.append(
            (len(samples), [sample.sample_idx[1] for sample in samples],
             sum('first' in sample for sample in samples)))


@FUNCTIONS.register_module()
def collate_once(samples):
    """Mark the first clip of a batch."""
    assert get_worker_info() is None
    samples[0]['data_samples'].set_metainfo(dict(first=True))
    return pseudo_collate(samples)


@pytest.mark.parametrize('collate', ['pseudo_collate', 'collate_once'])
def test_all_workers_load_a_coarse_batch(tmp_path, collate):
    """The collate function gets the whole batch."""
    WorkersHook.seen.clear()
    cfg = base_config(tmp_path, workers=2, max_epochs=3, milestones=(2, ))
    cfg.train_dataloader.dataset.pipeline.insert(-1, dict(type='TellWorker'))
    cfg.train_dataloader.collate_fn = dict(type=collate)
    cfg.custom_hooks.append(dict(type='WorkersHook'))
    train(cfg)
    found = {}
    for size, workers, marks in WorkersHook.seen:
        found.setdefault(size, set()).add(len(set(workers)))
        assert marks == (collate == 'collate_once')
    # The base batch is loaded by one, as ever.
    assert found == {32: {2}, 16: {2}, 8: {2}, 4: {2}, 2: {1}}
