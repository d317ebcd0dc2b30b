"""Make batches for the tests of batch norm."""

import torch


def seeded_batches(seed, *shapes):
    """Return random tensors that are the same in every process."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator) for shape in shapes]
