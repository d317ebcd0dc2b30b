"""Random numbers that do not depend on what was drawn before."""

import random
from contextlib import contextmanager
from typing import Iterator

import numpy as np
import torch
from torch.utils.data import get_worker_info


@contextmanager
def seeded(*numbers: int) -> Iterator[None]:
    """Inside the ``with`` block the generators of Python, numpy and torch (CPU) start from ``numbers``.

    After it they are where they were, so that code around it draws what it would have drawn; in the worker of a data
    loader, where none is, this tenth of a millisecond is saved.

    Args:
        numbers: Integers of at least 0.
    """
    in_worker = get_worker_info() is not None
    states = None if in_worker else (random.getstate(), np.random.get_state(), torch.get_rng_state())
    python, numpy, pytorch = np.random.SeedSequence(numbers).generate_state(3).tolist()
    random.seed(python)
    np.random.seed(numpy)
    torch.random.default_generator.manual_seed(pytorch)
    try:
        yield
    finally:
        if states:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])
