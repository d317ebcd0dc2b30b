"""Tensors of many clips on their way from a data worker, in one piece of shared memory."""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Tuple

import torch
from mmengine.structures import BaseDataElement
from torch.utils.data import default_collate, get_worker_info


class Together:
    """A collate function whose tensors leave a data worker together, those of one type and shape in one of all.

    Each tensor by itself costs a file handle, a message and a mapping in both processes, a few tenths of a millisecond:
    more than the smallest clips take to be loaded. In the main process they are what they were: tensors of
    their own, of the same values, in the same places.

    Args:
        collate: The collate function; called as it is outside of data workers.
    """

    def __init__(self, collate: Callable[[list], Any]) -> None:
        self.collate = collate

    def __call__(self, clips: list) -> Any:
        """Collate clips."""
        batch = self.collate(clips)
        return _together(batch) if get_worker_info() else batch


class _Part(NamedTuple):
    """A tensor until it is sent; what arrives is the tensor."""
    whole: List[torch.Tensor]  # of one, once it is made
    number: int
    size: Tuple[int, ...]
    stride: Tuple[int, ...]

    def __reduce__(self) -> tuple:
        return _take_out, (self.whole[0], self.number, self.size, self.stride)


def _take_out(whole: torch.Tensor, number: int, size: Tuple[int, ...], stride: Tuple[int, ...]) -> torch.Tensor:
    return whole[number].as_strided(size, stride)


def _together(batch: Any) -> Any:
    groups: Dict[tuple, Tuple[List[torch.Tensor], List[torch.Tensor]]] = {}

    def part(tensor: torch.Tensor) -> Any:
        plain = type(tensor) is torch.Tensor and tensor.layout is torch.strided and tensor.device.type == 'cpu'
        if not plain or tensor.requires_grad:
            return tensor
        # Frames are stacked with colours last, and permuted. That layout stays: convolutions choose their kernel by it.
        size, stride = tuple(tensor.shape), tensor.stride()
        in_memory = tensor.permute(sorted(range(tensor.dim()), key=stride.__getitem__, reverse=True))
        if not in_memory.is_contiguous():  # there are gaps in it, or it overlaps itself
            return tensor
        members, whole = groups.setdefault((tensor.dtype, size, stride), ([], []))
        members.append(in_memory)
        return _Part(whole, len(members) - 1, size, stride)

    sent = _each_tensor(batch, part)
    for members, whole in groups.values():
        whole.append(default_collate(members))  # in a worker straight into shared memory
    return sent


def _each_tensor(entry: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """The same structure with other tensors in it; what it was made of is left alone."""
    if isinstance(entry, torch.Tensor):
        return change(entry)
    if isinstance(entry, BaseDataElement):
        copy = object.__new__(type(entry))
        copy.__dict__.update({name: _each_tensor(value, change) for name, value in entry.__dict__.items()})
        return copy
    if isinstance(entry, Mapping):
        return type(entry)({key: _each_tensor(value, change) for key, value in entry.items()})
    if isinstance(entry, (list, tuple)):
        values = [_each_tensor(value, change) for value in entry]
        return type(entry)(*values) if hasattr(entry, '_fields') else type(entry)(values)
    return entry
