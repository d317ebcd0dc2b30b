"""What a grid store holds, and whether it is whole."""

import json
from pathlib import Path
from typing import List, Tuple

from .build import read_done
from .read import MANIFEST, copy_path


def store_info(store: Path) -> dict:
    """What a store holds: ``sides``, ``videos``, ``bytes``, and whether it is ``finished``.

    Raises:
        FileNotFoundError: There is no store.
    """
    manifest = store / MANIFEST
    if not manifest.is_file():
        raise FileNotFoundError(f'{store}: has no {MANIFEST}, and is no grid store')
    state, done = json.loads(manifest.read_text()), read_done(store)
    return dict(sides=state['sides'], videos=len(done), bytes=sum(done.values()), finished=bool(state.get('finished')))


def check_store(store: Path) -> List[Tuple[str, str]]:
    """Videos whose copies are not all there, or have another size than was written, and what is wrong.

    Raises:
        FileNotFoundError: There is no store.
    """
    wrong, sides = [], store_info(store)['sides']
    for name, size in read_done(store).items():
        paths = [Path(copy_path(str(store), side, name)) for side in sides]
        missing = [path for path in paths if not path.is_file()]
        found = sum(path.stat().st_size for path in paths if path not in missing)
        if missing:
            wrong.append((name, f'{missing[0]} is missing'))
        elif found != size:
            wrong.append((name, f'its copies have {found} bytes, and {size} were written'))
    return wrong
