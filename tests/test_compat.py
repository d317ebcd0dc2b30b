"""Healing what is broken in the installed stack, and nothing else."""

import os
import subprocess
import sys
import types

import cv2
import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import ColorJitter
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

from mmaction_multigrid import compat, patches
from mmaction_multigrid.checkpoints import loading


def test_a_missing_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(compat, 'REQUIREMENTS', (('no_such_package', '1.0', 'pip install it'), ))
    with pytest.raises(ImportError, match='no_such_package>=1.0, which is not installed: pip install it'):
        compat.check_requirements()


def test_an_old_package_is_named_with_its_remedy(monkeypatch):
    monkeypatch.setattr(compat, 'REQUIREMENTS', (('mmengine', '99.0', 'pip install newer'), ))
    with pytest.raises(ImportError, match=r'mmengine>=99.0, but [\d.]+ is installed: pip install newer'):
        compat.check_requirements()


def test_an_error_inside_a_package_is_not_hidden(monkeypatch, tmp_path):
    (tmp_path / 'broken_package.py').write_text('import no_such_dependency')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(compat, 'REQUIREMENTS', (('broken_package', '1.0', ''), ))
    with pytest.raises(ModuleNotFoundError, match='no_such_dependency'):
        compat.check_requirements()


@pytest.mark.parametrize(('version', 'release'), [('2.13.0+cpu', (2, 13, 0)), ('2.0', (2, 0, 0)),
                                                  ('2.0.0rc4', (2, 0, 0)), ('1.2.0', (1, 2, 0))])
def test_releases(version, release):
    assert patches.release(version) == release


def fake_mmaction(tmp_path, monkeypatch, with_drn, init='from .drn.drn import DRN'):
    """A package mmaction with the part of it that matters."""
    folder = tmp_path / 'mmaction' / 'models' / 'localizers'
    folder.mkdir(parents=True)
    (tmp_path / 'mmaction' / '__init__.py').write_text('')
    (folder / '__init__.py').write_text(init)
    if with_drn:
        (folder / 'drn').mkdir()
    spec = types.SimpleNamespace(origin=str(tmp_path / 'mmaction' / '__init__.py'))
    monkeypatch.setattr(patches.importlib.util, 'find_spec', lambda name: spec)
    for name in ('mmaction.models.localizers.drn', 'mmaction.models.localizers.drn.drn'):
        monkeypatch.delitem(sys.modules, name, raising=False)


@pytest.mark.parametrize(('with_drn', 'init', 'healed'), [(False, 'from .drn.drn import DRN', True),
                                                          (True, 'from .drn.drn import DRN', False),
                                                          (False, 'from .bmn import BMN', False)])
def test_drn_is_replaced_only_where_it_is_missing(tmp_path, monkeypatch, with_drn, init, healed):
    fake_mmaction(tmp_path, monkeypatch, with_drn, init)
    try:
        assert patches.patch_missing_drn() is healed
        name = 'mmaction.models.localizers.drn.drn'
        assert (name in sys.modules) is healed
        if healed:
            assert patches.patch_missing_drn() is False
            with pytest.raises(ImportError, match='2714'):
                sys.modules[name].DRN()
    finally:
        for name in ('mmaction.models.localizers.drn', 'mmaction.models.localizers.drn.drn'):
            sys.modules.pop(name, None)


@pytest.mark.parametrize(('source', 'healed'), [('def apply_chunking_to_forward(): ...', False), ('', True)])
def test_multimodal_models_are_left_out_beside_a_new_transformers(tmp_path, source, healed):
    """In a process of its own, for which a transformers is made up that has, or lacks, what they import."""
    pytest.importorskip('mmaction.utils.dependency', reason='mmaction2 1.1 has no multi-modal models')
    for name in ('transformers', 'transformers-5.24.0.dist-info'):
        (tmp_path / name).mkdir()
    (tmp_path / 'transformers' / '__init__.py').touch()
    (tmp_path / 'transformers' / 'modeling_utils.py').write_text(source)
    (tmp_path / 'transformers-5.24.0.dist-info' / 'METADATA').write_text(
        'Metadata-Version: 2.1\nName: transformers\nVersion: 5.24.0\n')
    code = ('import mmaction_multigrid, mmaction.utils.dependency as d; print(d.WITH_MULTIMODAL);'
            'import mmaction.models; from mmaction.registry import MODELS; MODELS.get("VindLUVQA")()')
    result = subprocess.run([sys.executable, '-W', 'ignore', '-c', code], capture_output=True, text=True,
                            env=dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), os.getcwd()])))
    assert result.stdout.strip().endswith(str(not healed))
    last = result.stderr.strip().splitlines()[-1]
    assert ('requires extra multi-modal dependencies' in last) == healed
    assert 'ImportError' in last or 'ModuleNotFoundError' in last  # the empty package has no BertModel to offer


@pytest.mark.parametrize('offset', [-127, -26, -1, 1, 26, 100, 127])
def test_color_jitter_turns_hues_as_numpy_1_does(offset):
    """Down in 16 bit, up in 8 bit, which wraps around at 256."""
    hues = np.arange(0, 180, 4, dtype=np.uint8)
    hsv = np.stack([hues, np.full_like(hues, 255), np.full_like(hues, 255)],
                   axis=-1)[None]
    image = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    wide = hsv[..., 0].astype(int) + offset
    hsv[..., 0] = (wide if offset < 0 else wide % 256) % 180
    expected = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    turned = ColorJitter.adjust_hue(image, (offset + 0.5 * np.sign(offset))
                                    / 255)
    assert turned.dtype == np.float32
    assert (turned == expected).all()


def test_numpy_keeps_its_names():
    """Only the module that asks for an old one gets it."""
    from mmaction.datasets.transforms import pose_transforms
    assert pose_transforms.np.Inf == np.inf
    assert pose_transforms.np.min is np.min
    assert hasattr(np, 'Inf') == (np.lib.NumpyVersion(np.__version__)
                                  < '2.0.0')
    assert patches.patch_numpy_2() is False


LINES = ('from mmaction_multigrid.patches import change_lines; '
         'print(*change_lines(), sep="\\n")')


def told(code, **environment):
    """What a fresh process prints, on stdout and stderr, and its status."""
    result = subprocess.run([sys.executable, '-W', 'ignore', '-c', code],
                            capture_output=True, text=True,
                            env={**os.environ, **environment})
    return result.stdout, result.stderr, result.returncode


def test_every_change_of_the_stack_is_kept_in_one_line():
    output, error, status = told(LINES)
    assert (error, status) == ('', 0)
    lines = output.splitlines()
    assert [line for line in lines if 'bases' in line]
    assert len(set(lines)) == len(lines)
    assert all(line.startswith('mmaction_multigrid: ') for line in lines)
    assert all('MMACTION_MULTIGRID_LEAVE_STACK=1' in line for line in lines)


def test_the_stack_can_be_left_as_it_is():
    code = ('import mmaction_multigrid, sys; from mmengine.runner import CheckpointLoader as c; '
            'print(c._schemes[""].__module__, "mmaction.models.localizers.drn" in sys.modules)')
    assert told(code, MMACTION_MULTIGRID_LEAVE_STACK='1') == ('mmengine.runner.checkpoint False\n', '', 0)
    ours = patches.release(torch.__version__) >= (2, 6, 0)
    loader = ('mmaction_multigrid.checkpoints.loading' if ours
              else 'mmengine.runner.checkpoint')
    assert told(code)[0].startswith(f'{loader} ')
    assert told(LINES, MMACTION_MULTIGRID_LEAVE_STACK='1') == ('\n', '', 0)


@pytest.fixture
def full_checkpoint(tmp_path):
    """A file as mmengine writes it: with its log history."""
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=dict(a=torch.ones(2)), message_hub=dict(log_scalars=HistoryBuffer([1.], [1]))), path)
    return str(path)


def test_full_checkpoints_load_on_every_torch(full_checkpoint):
    checkpoint = CheckpointLoader.load_checkpoint(full_checkpoint, map_location='cpu')
    assert checkpoint['state_dict']['a'].tolist() == [1, 1]


def test_a_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.pth'):
        loading.load_local_checkpoint(str(tmp_path / 'none.pth'))
