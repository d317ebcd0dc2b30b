"""Pack the tensors of many clips to send them from a data worker at once."""

import pickle
from io import BytesIO
from typing import Any, Optional

import torch
from torch.utils.data import default_collate, get_worker_info


def pack_in_worker(clips: list) -> Any:
    """Collate clips to a list, and pack their tensors in data workers.

    A tensor that is sent alone costs a file handle, a message and a memory
    mapping in both processes, which takes longer than loading a small clip.
    The main process receives the same structure with the same tensors.
    """
    return PackedClips(clips) if get_worker_info() else clips


class PackedClips:
    """Clips that unpickle as a list, and whose tensors are sent in packs.

    A pack holds all tensors of one type and shape.

    Args:
        clips (list): The clips.
    """

    def __init__(self, clips: list) -> None:
        file = BytesIO()
        pickler = _Pickler(file)
        pickler.dump(clips)
        # In a worker this stacks into shared memory, without another copy.
        packs = {
            key: default_collate(group)
            for key, group in pickler.groups.items()
        }
        self.parts = file.getvalue(), packs

    def __reduce__(self) -> tuple:
        return _unpack, self.parts


def _unpack(content: bytes, packs: dict) -> list:
    unpickler = _Unpickler(BytesIO(content))
    unpickler.packs = packs
    return unpickler.load()


class _Pickler(pickle.Pickler):
    """Pickler that collects tensors and writes their places."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file)
        self.groups: dict = {}

    def persistent_id(self, entry: Any) -> Optional[tuple]:
        """Return the place of a tensor; None for what is pickled as usual."""
        if (type(entry) is not torch.Tensor or entry.requires_grad
                or entry.layout is not torch.strided
                or entry.device.type != 'cpu'):
            return None
        # Frames are stacked with colors last and permuted. Convolutions
        # choose their kernel by the strides, so that these are restored.
        stride = entry.stride()
        order = sorted(range(entry.dim()), key=stride.__getitem__)
        in_memory = entry.permute(order[::-1])
        if not in_memory.is_contiguous():
            return None
        key = entry.dtype, tuple(entry.shape), stride
        group = self.groups.setdefault(key, [])
        group.append(in_memory)
        return key, len(group) - 1


class _Unpickler(pickle.Unpickler):
    packs: dict

    def persistent_load(self, place: tuple) -> torch.Tensor:
        """Return the tensor of a place."""
        key, number = place
        return self.packs[key][number].as_strided(*key[1:])
