"""Keeps an annotation list from naming files outside of its data."""

from pathlib import Path
from typing import Union

from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..schedule import video_path


@TRANSFORMS.register_module()
class InsideRoot(BaseTransform):
    """Refuses a clip whose file lies outside of a folder: by ``..``, an absolute path or a symbolic link.

    For lists that come from elsewhere. Put it first in a pipeline. In multigrid training a refused clip is replaced
    and listed like one that cannot be loaded; in validation the error ends the run.

    Required Keys:

        - filename or frame_dir

    Args:
        root (str or Path): The folder that all files have to be in.

    Raises:
        ValueError: A file is not.
    """

    def __init__(self, root: Union[str, Path]) -> None:
        self.root = Path(root).resolve()

    def transform(self, results: dict) -> dict:
        """Let the clip pass, or refuse it."""
        name = results['filename'] if 'filename' in results else results['frame_dir']
        # DecordInit opens NAME.mp4 for a name without an extension.
        if any(self.root not in Path(path).resolve().parents
               for path in {name, video_path(name)}):
            raise ValueError(f'{name!r}: lies outside of root = {str(self.root)!r}')
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(root={str(self.root)!r})'
