"""Tensors that leave a worker together arrive as they are."""

from collections import namedtuple

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from mmaction_multigrid.loading.packing import PackedCollate

from ..toy import label_of

Views = namedtuple('Views', 'slow fast')


class Clips(torch.utils.data.Dataset):
    """Samples of one kind, made beforehand."""

    def __init__(self, make):
        self.samples = [make(i) for i in range(8)]

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.samples[index]


def sent(make, collate=pseudo_collate, workers=1):
    """Two batches of four samples, as they arrive."""
    data = Clips(make)
    return data, list(DataLoader(data, batch_size=4, num_workers=workers, collate_fn=PackedCollate(collate)))


def clip(index, *shape):
    return torch.arange(index, index + torch.Size(shape).numel()).reshape(shape)


KINDS = dict(
    plain=lambda i: clip(i, 3, 4),
    floats=lambda i: clip(i, 3, 4) / 7,
    sizes=lambda i: dict(inputs=clip(i, 2, 3 + i % 2), other=[clip(i, 5), torch.tensor(i), i, f'clip {i}', None]),
    views=lambda i: Views(clip(i, 2), (clip(i, 4), clip(i, 4))),
    layout=lambda i: clip(i, 2, 3, 4, 5).to(memory_format=torch.channels_last),
    permuted=lambda i: clip(i, 4, 5, 6, 3).permute(3, 0, 1, 2)[None],
    gaps=lambda i: clip(i, 4, 6)[:, ::2],
    expanded=lambda i: clip(i, 4, 1).expand(4, 3),
    number=lambda i: torch.tensor(i),
    sparse=lambda i: clip(i, 3, 3).to_sparse(),
    empty=lambda i: torch.empty(0, 3),
    flags=lambda i: clip(i, 4) > 4,
    parameters=lambda i: torch.nn.Parameter(clip(i, 2) / 2))
NOT_BY_DEFAULT = ('sizes', 'sparse', 'parameters', 'layout', 'permuted', 'gaps', 'expanded')


def assert_same(ours, theirs):
    """Values, types, layouts, structure."""
    assert type(ours) is type(theirs)
    if isinstance(theirs, torch.Tensor):
        assert (ours.dtype, ours.shape, ours.layout, ours.requires_grad) == (
            theirs.dtype, theirs.shape, theirs.layout, theirs.requires_grad)
        assert torch.equal(ours.detach().to_dense(), theirs.detach().to_dense())
        assert ours.layout is torch.sparse_coo or ours.stride() == theirs.stride()
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs)
        assert_same(list(ours.values()), list(theirs.values()))
    elif isinstance(theirs, (list, tuple)):
        assert len(ours) == len(theirs)
        for pair in zip(ours, theirs):
            assert_same(*pair)
    else:
        assert ours == theirs


@pytest.mark.filterwarnings('ignore:Sparse invariant checks:UserWarning')
@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('collate', [pseudo_collate, torch.utils.data.default_collate, list])
def test_everything_arrives_as_it_is(kind, collate):
    if collate is torch.utils.data.default_collate and kind in NOT_BY_DEFAULT:
        pytest.skip('default_collate takes none of these, or loses what they are in a worker')
    data, batches = sent(KINDS[kind], collate)
    assert_same(batches, [collate(data.samples[:4]), collate(data.samples[4:])])


def packed(index):
    """What PackActionInputs makes."""
    sample = ActionDataSample(metainfo=dict(img_shape=(2, 2), sample_idx=index))
    if hasattr(sample, 'set_gt_label'):
        sample.set_gt_label(index)
    else:  # mmaction2 1.1
        sample.set_gt_labels(index)
    return dict(inputs=clip(index, 1, 2, 2, 2, 3).to(torch.uint8).permute(0, 4, 1, 2, 3), data_samples=sample)


def test_packed_clips():
    """Clips share one memory, and so do labels; each is its own, and the samples that they were made of are untouched."""
    data, (batch, _) = sent(packed)
    assert list(batch) == ['inputs', 'data_samples']
    for index, (inputs, sample) in enumerate(zip(batch['inputs'], batch['data_samples'])):
        assert torch.equal(inputs, packed(index)['inputs'])
        assert type(sample) is ActionDataSample
        assert (sample.sample_idx, sample.img_shape) == (index, (2, 2))
        assert label_of(dict(data_samples=sample)).item() == index
    for tensors in (batch['inputs'], [label_of(dict(data_samples=sample)) for sample in batch['data_samples']]):
        assert len({tensor.untyped_storage().data_ptr() for tensor in tensors}) == 1
    batch['inputs'][0].zero_()
    assert torch.equal(batch['inputs'][1], packed(1)['inputs'])
    assert torch.equal(data.samples[0]['inputs'], packed(0)['inputs'])


def test_without_a_worker_nothing_is_done():
    data, (batch, _) = sent(KINDS['plain'], workers=0)
    assert batch[0] is data.samples[0]


def test_an_error_of_the_collate_function_is_its_own():
    def collate(clips):
        raise KeyError('no such field')

    with pytest.raises(KeyError, match='no such field'):
        sent(KINDS['plain'], collate)
