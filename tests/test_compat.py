"""Patch the installed stack where it is broken."""

import os
import subprocess
import sys
import types

import cv2
import numpy as np
import pytest
import torch
from mmaction_multigrid import compat, patches

from mmaction.datasets.transforms import ColorJitter, pose_transforms


@pytest.mark.parametrize(('name', 'minimum', 'message'), [
    ('no_such_package', '1.0', 'no_such_package>=1.0, but none is '
     'installed: pip install it'),
    ('mmengine', '99.0', r'mmengine>=99.0, but [\d.]+ is installed: pip ins'),
    ('broken_package', '1.0', 'no_such_dependency'),
])
def test_a_package_is_named_with_its_remedy(monkeypatch, tmp_path, name,
                                            minimum, message):
    (tmp_path / 'broken_package.py').write_text('import no_such_dependency')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(compat, 'REQUIREMENTS',
                        ((name, minimum, 'pip install it'), ))
    with pytest.raises(ImportError, match=message):
        compat.check_requirements()


@pytest.mark.parametrize(('with_drn', 'init', 'patched'),
                         [(False, 'from .drn.drn import DRN', True),
                          (True, 'from .drn.drn import DRN', False),
                          (False, 'from .bmn import BMN', False)])
def test_drn_is_replaced_only_where_it_is_missing(tmp_path, monkeypatch,
                                                  with_drn, init, patched):
    folder = tmp_path / 'models' / 'localizers'
    (folder / 'drn').mkdir(parents=True)
    (folder / '__init__.py').write_text(init)
    if with_drn:
        (folder / 'drn' / 'drn.py').touch()
    spec = types.SimpleNamespace(origin=str(tmp_path / '__init__.py'))
    monkeypatch.setattr('importlib.util.find_spec', lambda name: spec)
    monkeypatch.setattr(
        sys, 'modules', {
            name: module
            for name, module in sys.modules.items()
            if not name.startswith('mmaction.models.localizers')
        })
    monkeypatch.setattr(patches, '_changes', [])
    patches.patch_missing_drn()
    name = 'mmaction.models.localizers.drn.drn'
    assert (name in sys.modules) is bool(patches.change_lines()) is patched


@pytest.mark.parametrize(('source', 'patched'),
                         [('def apply_chunking_to_forward(): ...', False),
                          ('', True)])
def test_multimodal_models_are_left_out_beside_a_new_transformers(
        tmp_path, source, patched):
    """Use a made-up transformers in another process."""
    pytest.importorskip(
        'mmaction.utils.dependency',
        reason='mmaction2 1.1 has no multi-modal models')
    for name in ('transformers', 'transformers-5.24.0.dist-info'):
        (tmp_path / name).mkdir()
    (tmp_path / 'transformers' / '__init__.py').touch()
    (tmp_path / 'transformers' / 'modeling_utils.py').write_text(source)
    (tmp_path / 'transformers-5.24.0.dist-info' / 'METADATA').write_text(
        'Metadata-Version: 2.1\nName: transformers\nVersion: 5.24.0\n')
    code = ('import mmaction_multigrid, mmaction.utils.dependency as d; '
            'print(d.WITH_MULTIMODAL); import mmaction.models; from '
            'mmaction.registry import MODELS; MODELS.get("VindLUVQA")()')
    output, error, _ = run_code(
        code, PYTHONPATH=os.pathsep.join([str(tmp_path),
                                          os.getcwd()]))
    assert output.strip().endswith(str(not patched))
    last = error.strip().splitlines()[-1]
    assert ('requires extra multi-modal dependencies' in last) == patched


@pytest.mark.parametrize('offset', [-127, -26, -1, 1, 26, 100, 127])
def test_color_jitter_turns_hues_as_numpy_1_does(offset):
    """Turn them down in 16 bits, and up in 8 bits with an overflow."""
    hues = np.arange(0, 180, 4, dtype=np.uint8)
    hsv = np.stack([hues,
                    np.full_like(hues, 255),
                    np.full_like(hues, 255)],
                   axis=-1)[None]
    image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    wide = hsv[..., 0].astype(int) + offset
    hsv[..., 0] = (wide if offset < 0 else wide % 256) % 180
    expected = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    turned = ColorJitter.adjust_hue(image,
                                    (offset + 0.5 * np.sign(offset)) / 255)
    assert turned.dtype == np.float32 and (turned == expected).all()


def test_numpy_keeps_its_names():
    """Only two modules get the old names."""
    assert pose_transforms.np.Inf == np.inf
    assert pose_transforms.np.min is np.min
    assert hasattr(np, 'Inf') == np.__version__.startswith('1.')


def run_code(code, **environment):
    """Run code in a new process; return stdout, stderr and status."""
    result = subprocess.run([sys.executable, '-W', 'ignore', '-c', code],
                            capture_output=True,
                            text=True,
                            env={
                                **os.environ,
                                **environment
                            })
    return result.stdout, result.stderr, result.returncode


@pytest.mark.parametrize('left', [False, True])
def test_the_stack_is_patched_unless_it_is_left_as_it_is(left):
    code = ('from mmaction_multigrid.patches import change_lines; from '
            'mmengine.runner import CheckpointLoader; '
            'print(CheckpointLoader._schemes[""].__module__, '
            '*change_lines(), sep="\\n")')
    output, error, status = run_code(
        code, **({
            patches.LEAVE_STACK: '1'
        } if left else {}))
    assert (error, status) == ('', 0)
    loader, *lines = output.splitlines()
    new = torch.__version__ >= '2.6'
    assert loader.startswith('mmaction_multigrid.') == (new and not left)
    assert bool(lines) is not left
    assert all(
        line.startswith('mmaction_multigrid: ')
        and f'{patches.LEAVE_STACK}=1' in line for line in lines)
