"""Batches loaded in pieces, by all workers at once, are the batches."""

from collections import namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction_multigrid import register_transform_rule
from mmaction_multigrid.loading.prefetch import join
from mmcv.transforms import BaseTransform
from mmengine.dataset import pseudo_collate
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS
from torch.utils.data import get_worker_info

from mmaction.registry import HOOKS, TRANSFORMS
from ..engine.test_training import train
from ..toy import base_config

Point = namedtuple('Point', 'x y')


@st.composite
def clips(draw, depth=2):
    """Clips of one structure: leaves, or dicts, tuples, lists and named tuples
    of them."""
    count = draw(st.integers(2, 9))

    def values(depth):
        kind = draw(
            st.sampled_from(['int', 'str', 'dict', 'list', 'tuple', 'point']
                            if depth else ['int', 'str']))
        if kind in ('int', 'str'):
            return [f'{kind}{i}' if kind == 'str' else i for i in range(count)]
        fields = [
            values(depth - 1)
            for _ in range(draw(st.integers(1, 3)) if kind != 'point' else 2)
        ]
        make = dict(
            list=list,
            tuple=tuple,
            point=lambda entry: Point(*entry),
            dict=lambda entry: dict(zip('abc', entry)))[kind]
        return [make(entry) for entry in zip(*fields)]

    return values(depth)


@given(clips(), st.integers(1, 9))
def test_joined_as_if_collated_at_once(samples, size):
    pieces = [
        pseudo_collate(samples[begin:begin + size])
        for begin in range(0, len(samples), size)
    ]
    assert join(pieces) == pseudo_collate(samples)


@TRANSFORMS.register_module()
class TellWorker(BaseTransform):
    """Puts the worker's number beside the clip's."""

    def transform(self, results):
        results['sample_idx'] = (results['sample_idx'], get_worker_info().id)
        return results


register_transform_rule('TellWorker')


@HOOKS.register_module()
class WorkersHook(Hook):
    """Writes down, of every batch, its size and the workers that loaded it."""
    seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        workers = [
            sample.sample_idx[1] for sample in data_batch['data_samples']
        ]
        WorkersHook.seen.append((len(data_batch['inputs']), workers))


@pytest.fixture
def cfg(tmp_path):
    WorkersHook.seen.clear()
    cfg = base_config(tmp_path, workers=2, max_epochs=3, milestones=(2, ))
    cfg.train_dataloader.dataset.pipeline.insert(-1, dict(type='TellWorker'))
    cfg.custom_hooks.append(dict(type='WorkersHook'))
    return cfg


def workers_by_size():
    found = {}
    for size, workers in WorkersHook.seen:
        found.setdefault(size, set()).add(len(set(workers)))
    return found


def test_all_workers_load_a_coarse_batch(cfg):
    train(cfg)
    assert workers_by_size() == {
        32: {2},
        16: {2},
        8: {2},
        4: {2},
        2: {1}
    }  # the base batch by one, as ever


@FUNCTIONS.register_module()
def collate_in_some_way(samples):
    """Not known to be joinable."""
    return pseudo_collate(samples)


def test_another_collate_function_gets_whole_batches(cfg):
    cfg.train_dataloader.collate_fn = dict(type='collate_in_some_way')
    train(cfg)
    assert workers_by_size() == {size: {1} for size in (32, 16, 8, 4, 2)}
