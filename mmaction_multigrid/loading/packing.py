"""Send the tensors of many clips from a data worker together."""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Tuple

import torch
from mmengine.structures import BaseDataElement
from torch.utils.data import default_collate, get_worker_info


def pack_in_worker(clips: list) -> Any:
    """Collate clips to a list, in data workers with their tensors packed.

    Each tensor by itself costs a file handle, a message and a mapping in both
    processes, which takes longer than loading a small clip. The main process
    receives the same tensors in the same places.
    """
    return pack(clips) if get_worker_info() else clips


class _PackedTensor(NamedTuple):
    """Place of a tensor in a pack; unpickled it is the tensor."""
    pack: List[torch.Tensor]  # of one tensor, once it is made
    number: int
    size: Tuple[int, ...]
    stride: Tuple[int, ...]

    def __reduce__(self) -> tuple:
        return _unpack, (self.pack[0], self.number, self.size, self.stride)


def _unpack(pack: torch.Tensor, number: int, size: Tuple[int, ...],
            stride: Tuple[int, ...]) -> torch.Tensor:
    return pack[number].as_strided(size, stride)


def pack(batch: Any) -> Any:
    """Replace tensors of the same type and shape by their places."""
    groups: Dict[tuple, Tuple[List[torch.Tensor], List[torch.Tensor]]] = {}

    def place(tensor: torch.Tensor) -> Any:
        if (type(tensor) is not torch.Tensor or tensor.requires_grad
                or tensor.layout is not torch.strided
                or tensor.device.type != 'cpu'):
            return tensor
        # Frames are stacked with colors last and permuted. Convolutions
        # choose their kernel by that layout, which is kept.
        size, stride = tuple(tensor.shape), tensor.stride()
        order = sorted(range(tensor.dim()), key=stride.__getitem__)
        in_memory = tensor.permute(order[::-1])
        if not in_memory.is_contiguous():
            return tensor
        members, packed = groups.setdefault((tensor.dtype, size, stride),
                                            ([], []))
        members.append(in_memory)
        return _PackedTensor(packed, len(members) - 1, size, stride)

    sent = _map_tensors(batch, place)
    for members, packed in groups.values():
        # In a worker it collates into shared memory.
        packed.append(default_collate(members))
    return sent


def _map_tensors(entry: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """Return the same structure with changed tensors."""
    if isinstance(entry, torch.Tensor):
        return change(entry)
    if isinstance(entry, BaseDataElement):
        copy = object.__new__(type(entry))
        copy.__dict__.update(_map_tensors(entry.__dict__, change))
        return copy
    if isinstance(entry, Mapping):
        return type(entry)(
            {key: _map_tensors(value, change)
             for key, value in entry.items()})
    if type(entry) in (list, tuple):  # not of named ones
        return type(entry)(_map_tensors(value, change) for value in entry)
    return entry
