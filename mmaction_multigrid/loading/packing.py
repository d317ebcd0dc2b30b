"""Send the tensors of many clips from a data worker together."""

import io
import pickle
from multiprocessing.reduction import ForkingPickler
from typing import Any, Callable, Dict, List, Optional

import torch
from torch.utils.data import default_collate, get_worker_info


class PackedCollate:
    """Collate function that sends equal tensors in one piece of memory.

    Each tensor by itself costs a file handle, a message and a mapping in
    both processes, which takes longer than loading a small clip. The main
    process receives the same tensors in the same places.

    Args:
        collate (callable): The collate function. Outside of data workers it
            is called as it is.
    """

    def __init__(self, collate: Callable[[list], Any]) -> None:
        self.collate = collate

    def __call__(self, clips: list) -> Any:
        """Collate clips."""
        batch = self.collate(clips)
        return _PackedBatch(batch) if get_worker_info() else batch


class _PackedBatch:
    """A batch that is pickled without its tensors, and with stacks of them.

    Unpickled it is the batch.
    """

    def __init__(self, batch: Any) -> None:
        file = io.BytesIO()
        pickler = _Pickler(file)
        pickler.dump(batch)
        self.content = file.getvalue()
        # In a worker it collates into shared memory.
        self.stacks = {
            key: default_collate(tensors)
            for key, tensors in pickler.tensors.items()
        }

    def __reduce__(self) -> tuple:
        return _unpack, (self.content, self.stacks)


class _Pickler(ForkingPickler):
    """Pickler that collects tensors by data type, shape and layout."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.tensors: Dict[tuple, List[torch.Tensor]] = {}

    def persistent_id(self, entry: Any) -> Optional[tuple]:
        """Collect a tensor, and return its place; None for all else."""
        if (type(entry) is not torch.Tensor or entry.requires_grad
                or entry.layout is not torch.strided
                or entry.device.type != 'cpu'):
            return None
        # Frames are stacked with colors last and permuted. Convolutions
        # choose their kernel by that layout, which is kept.
        stride = entry.stride()
        order = sorted(range(entry.dim()), key=stride.__getitem__)
        in_memory = entry.permute(order[::-1])
        if not in_memory.is_contiguous():
            return None
        key = entry.dtype, tuple(entry.shape), stride
        tensors = self.tensors.setdefault(key, [])
        tensors.append(in_memory)
        return key, len(tensors) - 1


def _unpack(content: bytes, stacks: Dict[tuple, torch.Tensor]) -> Any:

    def load(place: tuple) -> torch.Tensor:
        key, number = place
        return stacks[key][number].as_strided(*key[1:])

    unpickler = pickle.Unpickler(io.BytesIO(content))
    unpickler.persistent_load = load
    return unpickler.load()
