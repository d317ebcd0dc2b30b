"""Build small stores for the tests."""

from mmaction_multigrid.frame_store.build import build
from mmaction_multigrid.frame_store.logs import check_short_edges
from mmaction_multigrid.frame_store.sources import source_of


def make_store(folder,
               store,
               names,
               reader='decord',
               part=(1, 1),
               processes=1,
               short_edges=(32, 64)):
    """Build a store of videos in a folder, and return the result."""
    sources = [
        source_of(dict(filename=str(folder / name)), reader) for name in names
    ]
    return build(sources, store, check_short_edges(short_edges), processes,
                 part)
