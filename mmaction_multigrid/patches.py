"""Patches of the installed stack, each where something in it is broken.

Each function says in its docstring what fails without it, returns whether it
changed anything, and keeps a sentence for :func:`change_lines`.
"""

import importlib
import importlib.util
import io
import os
import os.path as osp
import sys
from pathlib import Path
from types import ModuleType
from typing import List, Optional, Tuple

LEAVE_STACK = 'MMACTION_MULTIGRID_LEAVE_STACK'
_changes: List[str] = []


def is_set(variable: str) -> bool:
    """Check whether an environment variable is on, by torch's rule."""
    value = os.environ.get(variable, '0')
    return value.lower() in ('1', 'y', 'yes', 'true')


def release(version: str) -> tuple:
    """Numeric release part of a version: '2.13.0+cpu' -> (2, 13, 0)."""
    numbers = []
    for part in version.split('+')[0].split('.')[:3]:
        digits = ''
        for char in part:
            if not char.isdigit():
                break
            digits += char
        numbers.append(int(digits or 0))
    return tuple(numbers + [0] * (3 - len(numbers)))


def _tell(change: str) -> None:
    """Keep what was changed for :func:`change_lines`."""
    if change not in _changes:
        _changes.append(change)


def change_lines() -> List[str]:
    """A line for everything that was changed in the installed stack."""
    return [f'mmaction_multigrid: {change} ({LEAVE_STACK}=1 leaves this out)'
            for change in _changes]


def patch_missing_drn() -> bool:
    """Stand in for ``mmaction.models.localizers.drn`` where the installed mmaction2 lacks it.

    The wheel and sdist of mmaction2 1.2.0 leave that package out, so that ``import mmaction.models``
    fails (open-mmlab/mmaction2 issue 2714). The stand-in's ``DRN`` says so when it is built.

    Returns:
        bool: Whether a stand-in was put in place.
    """
    parent = importlib.util.find_spec('mmaction')
    folder = osp.join(osp.dirname(parent.origin), 'models', 'localizers')
    name = 'mmaction.models.localizers.drn'
    if name in sys.modules or osp.isdir(osp.join(folder, 'drn')) or osp.isfile(osp.join(folder, 'drn.py')):
        return False
    if not _mentions(osp.join(folder, '__init__.py'), '.drn'):
        return False

    class DRN:
        """Stand-in for the localizer that the installed mmaction2 lacks."""

        def __init__(self, *args, **kwargs):
            raise ImportError('DRN is missing from the installed mmaction2 (open-mmlab/mmaction2 issue 2714): '
                              'install mmaction2 from its source repository to use it')

    package, module = ModuleType(name), ModuleType(f'{name}.drn')
    package.__path__ = []
    package.drn = module
    module.DRN = DRN
    sys.modules[name], sys.modules[f'{name}.drn'] = package, module
    _tell(f'mmaction2 is installed without {name}, and mmaction.models asks for it; a stand-in takes its place')
    return True


def _mentions(source: str, text: str) -> bool:
    try:
        with open(source, encoding='utf-8') as file:
            return text in file.read()
    except OSError:
        return False


def patch_checkpoint_loading() -> bool:
    """Have mmengine load checkpoints by :mod:`.checkpoints.loading`.

    From torch 2.6 on ``torch.load`` refuses full checkpoints, and with them
    every ``--resume``; what mmengine downloads it reads in full. Older torch
    has no list that could be extended: nothing is changed there.

    Returns:
        bool: Whether the loaders of local files and downloads were replaced.
    """
    import torch
    from mmengine.runner import CheckpointLoader, checkpoint

    from .checkpoints import loading as checkpoint_loading
    if release(torch.__version__) < (2, 6, 0):
        return False
    CheckpointLoader.register_scheme(
        prefixes='', loader=checkpoint_loading.load_local_checkpoint,
        force=True)
    checkpoint.load_url = checkpoint_loading.load_downloaded_checkpoint
    _tell('mmengine loads checkpoints by a reader that runs nothing in them, '
          'and refuses what else they name')
    return True


def serve_configs() -> bool:
    """Have mmengine find ``mmaction_multigrid::`` bases among the configs that this package brings, in ``.mim``.

    It knows the packages of its own family by a list, and asks the installer where they are, which is wrong of an
    editable one. Such a base is read before ``custom_imports``: this helps tools that import the package first.

    Returns:
        bool: True; the search was replaced.
    """
    from mmengine.config import Config
    find, prefix = Config._get_cfg_path, f'{__package__}::'

    def find_ours_first(cfg_path: str, filename: str) -> Tuple[str, Optional[str]]:
        if not cfg_path.startswith(prefix):
            return find(cfg_path, filename)
        path = Path(__file__).parent / '.mim' / 'configs' / cfg_path[len(prefix):]
        if not path.is_file():
            raise FileNotFoundError(f'{cfg_path}: there is no such config; {path.parent} is where it would be')
        return str(path), 'mmaction'  # whose registries have what these configs name

    Config._get_cfg_path = staticmethod(find_ours_first)
    _tell('mmengine finds mmaction_multigrid:: bases')
    return True


def patch_multimodal() -> bool:
    """Have mmaction2 leave out its multi-modal models where the installed transformers is too new for them.

    They are imported wherever transformers is installed, and ask it for functions that have moved since, so that
    ``import mmaction.models`` fails. mmaction2 then says what they need when one is built, as without transformers.

    Returns:
        bool: Whether they are left out.
    """
    transformers = importlib.util.find_spec('transformers')
    if transformers is None or transformers.origin is None or 'mmaction.models.multimodal' in sys.modules:
        return False
    if _mentions(osp.join(osp.dirname(transformers.origin), 'modeling_utils.py'), 'apply_chunking_to_forward'):
        return False
    try:
        from mmaction.utils import dependency
    except ImportError:  # mmaction2 1.1 has no such models
        return False
    if not dependency.WITH_MULTIMODAL:
        return False
    dependency.WITH_MULTIMODAL = False
    _tell("mmaction2's multi-modal models do not run with the installed transformers and are left out")
    return True


def patch_numpy_2() -> bool:
    """Let mmaction2's transforms do in numpy 2 what they do in numpy 1.

    ``PoseCompact`` and ``MMCompact`` ask for ``np.Inf``: their module alone
    gets it. ``ColorJitter`` adds negative ints to 8 bit hues, which numpy 1
    widens to 16 bit; positive ones wrap around at 256 in both.

    Returns:
        bool: Whether numpy is that new.
    """
    import cv2
    import numpy as np
    from mmaction.datasets.transforms import ColorJitter, pose_transforms
    if hasattr(pose_transforms.np, 'Inf'):
        return False

    def adjust_hue(img: np.ndarray, factor: float) -> np.ndarray:
        img = np.clip(img, 0, 255).astype(np.uint8)
        hsv = cv2.cvtColor(img, cv2.COLOR_RGB2HSV)
        offset = int(factor * 255)
        hsv[..., 0] = (hsv[..., 0] + (np.int16(offset) if offset < 0
                                      else offset)) % 180
        return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB).astype(np.float32)

    ColorJitter.adjust_hue = staticmethod(adjust_hue)
    pose_transforms.np = ModuleType('numpy')
    pose_transforms.np.__getattr__ = lambda name: getattr(np, name)
    pose_transforms.np.Inf = np.inf
    _tell("mmaction2's PoseCompact, MMCompact and ColorJitter fail in numpy 2 "
          'and are mended')
    return True


def patch_pyav_counts() -> bool:
    """Have ``PyAVInit`` count frames where the header holds no number.

    PyAV says 0 for mkv, webm, ts and h264 files, of which MMAction2 then
    samples the first frame for each of a clip's.

    Returns:
        bool: True; the transform was changed.
    """
    from mmaction.datasets.transforms import PyAVInit
    open_video = PyAVInit.transform

    def transform(self: PyAVInit, results: dict) -> dict:
        results = open_video(self, results)
        if not results['total_frames']:
            counts = self.__dict__.setdefault('frame_counts', {})
            name = results['filename']
            if name not in counts:
                counts[name] = _count_frames(self.file_client.get(name))
            results['total_frames'] = counts[name]
        return results

    PyAVInit.transform = transform
    _tell('PyAVInit counts the frames of videos whose header does not')
    return True


def _count_frames(content: bytes) -> int:
    import av
    with av.open(io.BytesIO(content)) as container:
        return sum(1 for _ in container.decode(video=0))
