"""Patches of what is broken in the installed stack.

The docstring of each function says what fails without it. A function that
changes something adds a sentence to :func:`change_lines`.
"""

import importlib.util
import io
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Callable, List

LEAVE_STACK = 'MMACTION_MULTIGRID_LEAVE_STACK'
_changes: List[str] = []


def change_lines() -> List[str]:
    """Describe each change of the installed stack in a line."""
    # prepare() may run again in a test or notebook.
    return [
        f'mmaction_multigrid: {change} ({LEAVE_STACK}=1 leaves this out)'
        for change in dict.fromkeys(_changes)
    ]


def patch_missing_drn() -> None:
    """Replace ``mmaction.models.localizers.drn`` by a stub if it is missing.

    Wheel and sdist of mmaction2 1.2.0 lack that package, so that ``import
    mmaction.models`` fails (open-mmlab/mmaction2 issue 2714).
    """
    name = 'mmaction.models.localizers.drn'
    # The files are read, because an import would fail.
    origin = importlib.util.find_spec('mmaction').origin
    folder = Path(origin).parent / 'models' / 'localizers'
    if (name in sys.modules or (folder / 'drn' / 'drn.py').exists()
            or '.drn' not in (folder / '__init__.py').read_text('utf-8')):
        return
    sys.modules[name] = ModuleType(name)
    module = sys.modules[f'{name}.drn'] = ModuleType(f'{name}.drn')
    module.DRN = None
    _changes.append(f'mmaction2 is installed without {name}, and '
                    'mmaction.models asks for it; a stand-in takes its place')


def patch_multimodal() -> None:
    """Leave out multi-modal models that need an older transformers.

    MMAction2 imports them wherever transformers is installed, and they import
    functions that have moved since, so that ``import mmaction.models`` fails.
    """
    spec = importlib.util.find_spec('transformers')
    # mmaction2 1.1 has neither such models nor this module.
    if (spec is None or 'mmaction.models.multimodal' in sys.modules
            or not importlib.util.find_spec('mmaction.utils.dependency')):
        return
    # The file is read, because importing transformers takes seconds.
    source = Path(spec.origin).with_name('modeling_utils.py')
    if 'apply_chunking_to_forward' in source.read_text('utf-8'):
        return
    from mmaction.utils import dependency
    dependency.WITH_MULTIMODAL = False
    _changes.append("mmaction2's multi-modal models do not run with the "
                    'installed transformers and are left out')


def patch_checkpoint_loading() -> None:
    """Make mmengine load checkpoints by :mod:`.checkpoints.loading`.

    From torch 2.6 on ``torch.load`` refuses the checkpoints that mmengine
    writes, so that every ``--resume`` fails. Downloads are read in full, which
    can run any code. Older torch has no list of safe classes that could be
    extended, and is left as it is.
    """
    import torch
    from mmengine.runner import CheckpointLoader, checkpoint

    from .checkpoints import loading as checkpoint_loading
    if torch.__version__ < '2.6':
        return
    # The empty prefix is that of local paths.
    CheckpointLoader.register_scheme(
        prefixes='',
        loader=checkpoint_loading.load_local_checkpoint,
        force=True)
    checkpoint.load_url = checkpoint_loading.load_downloaded_checkpoint
    _changes.append('mmengine loads checkpoints by a reader that runs nothing '
                    'in them, and refuses what else they name')


def patch_numpy_2() -> None:
    """Make MMAction2 work in numpy 2 as it does in numpy 1.

    ``PoseCompact`` and ``MMCompact`` use ``np.Inf``, and ``AVAMetric`` uses
    ``np.NAN`` for classes without a box; both are gone. ``ColorJitter`` adds
    negative integers to 8-bit hues, which numpy 1 widens to 16 bit and numpy 2
    refuses. Positive integers wrap around at 256 in both versions.
    """
    import cv2
    import numpy as np

    from mmaction.datasets.transforms import ColorJitter, pose_transforms
    from mmaction.evaluation.functional.ava_evaluation import metrics
    if hasattr(pose_transforms.np, 'Inf'):
        return

    def adjust_hue(img: np.ndarray, factor: float) -> np.ndarray:
        img = np.clip(img, 0, 255).astype(np.uint8)
        hsv = cv2.cvtColor(img, cv2.COLOR_RGB2HSV)
        offset = int(factor * 255)
        hsv[..., 0] = (hsv[..., 0] +
                       (np.int16(offset) if offset < 0 else offset)) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)

    ColorJitter.adjust_hue = staticmethod(adjust_hue)
    # Only these modules see the names. Other code may test numpy for them.
    pose_transforms.np = metrics.np = ModuleType('numpy')
    metrics.np.__getattr__ = lambda name: getattr(np, name)
    metrics.np.Inf, metrics.np.NAN = np.inf, np.nan
    _changes.append("mmaction2's PoseCompact, MMCompact, ColorJitter and "
                    'AVAMetric fail in numpy 2 and are mended')


def patch_pyav_counts() -> None:
    """Make ``PyAVInit`` count the frames if the header has no number.

    PyAV reports 0 frames for mkv, webm, ts and h264 files, and MMAction2 then
    uses their first frame for all frames of a clip.
    """
    from mmaction.datasets.transforms import PyAVInit
    open_video = PyAVInit.transform

    def transform(self: PyAVInit, results: dict) -> dict:
        results = open_video(self, results)
        if not results['total_frames']:
            results['total_frames'] = _count_frames(self.file_client.get,
                                                    results['filename'])
        return results

    PyAVInit.transform = transform
    _changes.append('PyAVInit counts the frames of '
                    'videos whose header does not')


# Decoding a whole video takes seconds, and its number of frames stays.
@lru_cache(maxsize=None)
def _count_frames(read: Callable[[str], bytes], name: str) -> int:
    import av  # needed for PyAVInit alone
    with av.open(io.BytesIO(read(name))) as video:
        return sum(1 for _ in video.decode(video=0))


PATCHES = (patch_missing_drn, patch_multimodal, patch_checkpoint_loading,
           patch_numpy_2, patch_pyav_counts)
