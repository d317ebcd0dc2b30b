"""Patches of the installed stack, each where something in it is broken.

Each function says in its docstring what fails without it, and adds a sentence
to :func:`change_lines` where it changed anything.
"""

import importlib.util
import io
import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Callable, List, Optional, Tuple

LEAVE_STACK = 'MMACTION_MULTIGRID_LEAVE_STACK'
_changes: List[str] = []


def is_set(variable: str) -> bool:
    """Check whether an environment variable is on, by torch's rule."""
    value = os.environ.get(variable, '0')
    return value.lower() in ('1', 'y', 'yes', 'true')


def release(version: str) -> Tuple[int, ...]:
    """Parse the release of a version: '2.13.0+cpu' -> (2, 13, 0)."""
    numbers = re.findall(r'\d+', version.split('+')[0])
    return (*map(int, numbers[:3]), 0, 0)[:3]


def change_lines() -> List[str]:
    """List what was changed in the installed stack."""
    return [
        f'mmaction_multigrid: {change} ({LEAVE_STACK}=1 leaves this out)'
        for change in dict.fromkeys(_changes)
    ]


def _find_text(package: str, path: str, text: str) -> Optional[bool]:
    """Look for a text in a file of a package; None: there is no such file."""
    spec = importlib.util.find_spec(package)
    file = Path(spec.origin).parent / path if spec and spec.origin else None
    return text in file.read_text('utf-8') if file and file.exists() else None


def patch_missing_drn() -> None:
    """Stand in for ``mmaction.models.localizers.drn`` where it is missing.

    Wheel and sdist of mmaction2 1.2.0 leave that package out, so that ``import
    mmaction.models`` fails (open-mmlab/mmaction2 issue 2714).
    """
    folder, name = 'models/localizers', 'mmaction.models.localizers.drn'
    if (name in sys.modules
            or not _find_text('mmaction', f'{folder}/__init__.py', '.drn')
            or _find_text('mmaction', f'{folder}/drn/drn.py', '') is not None):
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
    old = _find_text('transformers', 'modeling_utils.py',
                     'apply_chunking_to_forward')
    if old is not False or 'mmaction.models.multimodal' in sys.modules:
        return
    try:
        from mmaction.utils import dependency
    except ImportError:  # mmaction2 1.1 has no such models
        return
    dependency.WITH_MULTIMODAL = False
    _changes.append("mmaction2's multi-modal models do not run with the "
                    'installed transformers and are left out')


def patch_checkpoint_loading() -> None:
    """Have mmengine load checkpoints by :mod:`.checkpoints.loading`.

    From torch 2.6 on ``torch.load`` refuses full checkpoints, and with them
    every ``--resume``; what mmengine downloads it reads in full. Older torch
    has no list that could be extended: nothing is changed there.
    """
    import torch
    from mmengine.runner import CheckpointLoader, checkpoint

    from .checkpoints import loading as checkpoint_loading
    if release(torch.__version__) < (2, 6, 0):
        return
    CheckpointLoader.register_scheme(
        prefixes='',
        loader=checkpoint_loading.load_local_checkpoint,
        force=True)
    checkpoint.load_url = checkpoint_loading.load_downloaded_checkpoint
    _changes.append('mmengine loads checkpoints by a reader that runs nothing '
                    'in them, and refuses what else they name')


def serve_configs() -> None:
    """Have mmengine find ``mmaction_multigrid::`` bases in ``.mim``.

    mmengine knows the packages of its own family by a list, and asks the
    installer for their place, which is wrong of an editable one. Such a base
    is read before ``custom_imports``: this helps tools that import the package
    first.
    """
    from mmengine.config import Config
    find, prefix = Config._get_cfg_path, f'{__package__}::'

    def find_ours_first(cfg_path: str,
                        filename: str) -> Tuple[str, Optional[str]]:
        if not cfg_path.startswith(prefix):
            return find(cfg_path, filename)
        path = Path(__file__).with_name('.mim') / 'configs'
        # The registries of these configs are MMAction2's.
        return str(path / cfg_path[len(prefix):]), 'mmaction'

    Config._get_cfg_path = staticmethod(find_ours_first)
    _changes.append('mmengine finds mmaction_multigrid:: bases')


def patch_numpy_2() -> None:
    """Let MMAction2's transforms do in numpy 2 what they do in numpy 1.

    ``PoseCompact`` and ``MMCompact`` ask for ``np.Inf``: their module alone
    gets it. ``ColorJitter`` adds negative ints to 8 bit hues, which numpy 1
    widens to 16 bit; positive ones wrap around at 256 in both.
    """
    import cv2
    import numpy as np

    from mmaction.datasets.transforms import ColorJitter, pose_transforms
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
    pose_transforms.np = ModuleType('numpy')
    pose_transforms.np.__getattr__ = lambda name: getattr(np, name)
    pose_transforms.np.Inf = np.inf
    _changes.append("mmaction2's PoseCompact, MMCompact and ColorJitter fail "
                    'in numpy 2 and are mended')


def patch_pyav_counts() -> None:
    """Have ``PyAVInit`` count frames where the header holds no number.

    PyAV says 0 for mkv, webm, ts and h264 files, of which MMAction2 then
    samples the first frame for each of a clip's.
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


@lru_cache(maxsize=None)
def _count_frames(read: Callable[[str], bytes], name: str) -> int:
    import av  # needed for PyAVInit alone
    with av.open(io.BytesIO(read(name))) as video:
        return sum(1 for _ in video.decode(video=0))


PATCHES = (patch_missing_drn, patch_multimodal, patch_checkpoint_loading,
           serve_configs, patch_numpy_2, patch_pyav_counts)
