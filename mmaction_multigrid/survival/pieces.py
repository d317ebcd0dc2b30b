"""A coarse batch in pieces, one for each data worker, and whole again."""

from itertools import chain
from typing import Any, List, Mapping, Sequence

from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader


def max_pieces(dataloader: DataLoader) -> int:
    """As many as there are workers, where it is known how to join what they load."""
    collate = getattr(dataloader.collate_fn, 'collate', dataloader.collate_fn)  # of Together
    collate = getattr(collate, 'func', collate)  # mmengine's is a partial function
    return dataloader.num_workers if collate is pseudo_collate else 1


def join(pieces: List[Any]) -> Any:
    """What ``pseudo_collate`` makes of the clips of all pieces, from what it made of each piece's."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    if isinstance(first, Mapping):
        return type(first)({key: join([piece[key] for piece in pieces]) for key in first})
    if any(isinstance(entry, (Sequence, Mapping)) and not isinstance(entry, (str, bytes)) for entry in first):
        fields = map(join, zip(*pieces))  # of clips that are sequences
        return type(first)(*fields) if hasattr(first, '_fields') else type(first)(fields)
    return type(first)(chain.from_iterable(pieces))  # one entry a clip
