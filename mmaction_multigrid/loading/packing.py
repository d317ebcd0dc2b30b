"""Pack the tensors of many clips to send them from a data worker at once."""

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Tuple

import torch
from mmengine.structures import BaseDataElement
from torch.utils.data import default_collate, get_worker_info


def pack_in_worker(clips: list) -> Any:
    """Collate clips to a list, and pack their tensors in data workers.

    A tensor that is sent alone costs a file handle, a message and a memory
    mapping in both processes, which takes longer than loading a small clip.
    The main process receives the same structure with the same tensors.
    """
    return pack(clips) if get_worker_info() else clips


class _PackedTensor(NamedTuple):
    """Place of a tensor in a pack, which unpickles as the tensor."""
    pack: List[torch.Tensor]  # empty until all members are known
    number: int
    size: Tuple[int, ...]
    stride: Tuple[int, ...]

    # pickle sends pack[0] once for all its places, by its identity.
    def __reduce__(self) -> tuple:
        return _unpack, (self.pack[0], self.number, self.size, self.stride)


def _unpack(pack: torch.Tensor, number: int, size: Tuple[int, ...],
            stride: Tuple[int, ...]) -> torch.Tensor:
    return pack[number].as_strided(size, stride)


def pack(batch: Any) -> Any:
    """Replace tensors by their places in packs of equal type and shape."""
    groups: Dict[tuple, Tuple[List[torch.Tensor], List[torch.Tensor]]] = {}

    def place(tensor: torch.Tensor) -> Any:
        if (type(tensor) is not torch.Tensor or tensor.requires_grad
                or tensor.layout is not torch.strided
                or tensor.device.type != 'cpu'):
            return tensor
        # Frames are stacked with colors last and permuted. Convolutions
        # choose their kernel by the strides, so that these are restored.
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
        # In a worker this stacks into shared memory, without another copy.
        packed.append(default_collate(members))
    return sent


def _map_tensors(entry: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """Apply a function to each tensor of a nested structure."""
    if isinstance(entry, torch.Tensor):
        return change(entry)
    if isinstance(entry, BaseDataElement):
        # Not by its methods, which would check the type of each value.
        copy = object.__new__(type(entry))
        copy.__dict__.update(_map_tensors(entry.__dict__, change))
        return copy
    if isinstance(entry, Mapping):
        return type(entry)(
            {key: _map_tensors(value, change)
             for key, value in entry.items()})
    if type(entry) in (list, tuple):  # named tuples take other arguments
        return type(entry)(_map_tensors(value, change) for value in entry)
    return entry
