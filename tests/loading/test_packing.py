"""Send tensors from a worker together."""

from collections import namedtuple

import pytest
import torch
from mmaction_multigrid.loading.packing import pack_in_worker
from torch.utils.data import DataLoader

from mmaction.structures import ActionDataSample
from ..toy import label_of

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
    for ours, theirs in zip(sent(samples), samples):
        assert ([(key, type(value)) for key, value in ours.items()
                 ] == [(key, type(value)) for key, value in theirs.items()])
        assert ours.pop('other') == theirs.pop('other')
        torch.testing.assert_close(
            ours, theirs, rtol=0, atol=0, check_stride=True)


def packed(index):
    """Make a sample as PackActionInputs does."""
    sample = ActionDataSample(
        metainfo=dict(img_shape=(2, 2), sample_idx=index))
    if hasattr(sample, 'set_gt_label'):
        sample.set_gt_label(index)
    else:  # mmaction2 1.1
        sample.set_gt_labels(index)
    inputs = clip(index, 1, 2, 2, 2, 3).to(torch.uint8)
    return dict(inputs=inputs.permute(0, 4, 1, 2, 3), data_samples=sample)


def test_packed_clips():
    """Clips share one memory, and so do labels."""
    clips = sent([packed(i) for i in range(4)])
    labels = []
    for index, found in enumerate(clips):
        assert list(found) == ['inputs', 'data_samples']
        assert torch.equal(found['inputs'], packed(index)['inputs'])
        info = found['data_samples']
        assert type(info) is ActionDataSample
        assert (info.sample_idx, info.img_shape) == (index, (2, 2))
        labels.append(label_of(found))
    assert [label.item() for label in labels] == list(range(4))
    inputs = [found['inputs'] for found in clips]
    for tensors in (inputs, labels):
        places = {tensor.untyped_storage().data_ptr() for tensor in tensors}
        assert len(places) == 1
    inputs[0].zero_()
    assert torch.equal(inputs[1], packed(1)['inputs'])


def test_without_a_worker_nothing_is_done():
    data = [clip(0, 3)]
    assert sent(data, workers=0)[0] is data[0]
