"""Build small stores for the tests."""

from mmaction_multigrid.frame_store.build import build
from mmaction_multigrid.frame_store.logs import store_settings
from mmaction_multigrid.frame_store.sources import source_of


def make_store(folder,
               store,
               names,
               reader='decord',
               part=(1, 1),
               processes=1,
               short_edges=(32, 64),
               **settings):
    """Build a store of videos in a folder, and return the result."""
    sources = [
        source_of(dict(filename=str(folder / name)), reader) for name in names
    ]
    return build(sources, store, store_settings(short_edges, **settings),
                 processes, part)
