"""Send tensors from a worker together."""

from collections import namedtuple

import pytest
import torch
from mmaction_multigrid.loading.packing import pack_in_worker
from torch.utils.data import DataLoader

Views = namedtuple('Views', 'slow fast')


def sent(data, workers=1):
    """Return all samples as they arrive."""
    samples, = DataLoader(
        data,
        batch_size=len(data),
        num_workers=workers,
        collate_fn=pack_in_worker)
    return samples


def clip(index, *shape):
    return torch.arange(index,
                        index + torch.Size(shape).numel()).reshape(shape)


def sample(i):
    return dict(
        ints=clip(i, 3, 4),
        floats=clip(i, 3, 4) / 7,
        views=Views(clip(i, 2), (clip(i, 4), clip(i, 4))),
        number=torch.tensor(i),
        empty=torch.empty(0, 3),
        flags=clip(i, 4) > 4,
        sizes=dict(inputs=clip(i, 2, 3 + i % 2)),
        other=[i, f'clip {i}', None],
        layout=clip(i, 2, 3, 4, 5).to(memory_format=torch.channels_last),
        permuted=clip(i, 4, 5, 6, 3).permute(3, 0, 1, 2)[None],
        gaps=clip(i, 4, 6)[:, ::2],
        expanded=clip(i, 4, 1).expand(4, 3),
        sparse=clip(i, 3, 3).to_sparse(),
        parameters=torch.nn.Parameter(clip(i, 2) / 2))


@pytest.mark.filterwarnings('ignore:Sparse invariant checks:UserWarning')
def test_everything_arrives_as_it_is():
    """Compare values, types, layouts and structure."""
    samples = [sample(i) for i in range(4)]
    found = sent(samples)
    # Tensors of a kind share one memory.
    assert len({s['ints'].untyped_storage().data_ptr() for s in found}) == 1
    for ours, theirs in zip(found, samples):
        assert ([(key, type(value)) for key, value in ours.items()
                 ] == [(key, type(value)) for key, value in theirs.items()])
        assert ours.pop('other') == theirs.pop('other')
        torch.testing.assert_close(
            ours, theirs, rtol=0, atol=0, check_stride=True)


def test_without_a_worker_nothing_is_done():
    data = [clip(0, 3)]
    assert sent(data, workers=0)[0] is data[0]
