"""What data and files of others cannot do."""

import ast
import pickle

import pytest
import torch
from mmaction.registry import TRANSFORMS

from mmaction_multigrid.survival.checkpoint_loading import load_local_checkpoint

from .conftest import ROOT

SOURCES = sorted([*(ROOT / 'mmaction_multigrid').rglob('*.py'), *(ROOT / 'tools').rglob('*.py')])
FORBIDDEN = {'eval', 'exec', 'compile', 'os.system', 'os.popen', 'subprocess.getoutput', 'subprocess.getstatusoutput'}
UNPICKLERS = {'pickle.load', 'pickle.loads', 'pickle.Unpickler', 'pickle._Unpickler'}


def dangers(source):
    """Calls in a source that run text as code, hand it to a shell, or unpickle it; and where."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if name in FORBIDDEN or options.get('shell', 'False') != 'False' or name in UNPICKLERS:
            yield f'{node.lineno}: {name}'
        elif name == 'torch.load' and options.get('weights_only') != 'True' and (
                options.get('pickle_module') != 'checkpoint_pickle'):  # tests/survival/test_checkpoint_pickle.py
            yield f'{node.lineno}: torch.load'


def test_no_text_is_run_and_nothing_unpickled():
    """But for the one place at which a checkpoint is read in full, since the user said so."""
    assert len(SOURCES) > 40
    found = {path.name: list(dangers(path.read_text())) for path in SOURCES}
    found = {name: calls for name, calls in found.items() if calls}
    assert [(name, len(calls)) for name, calls in found.items()] == [('checkpoint_loading.py', 1)]


class Payload:
    """Runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_a_hostile_checkpoint_is_refused_where_weights_only_is_forced(tmp_path, monkeypatch):
    torch.save(dict(state_dict={}, payload=Payload(tmp_path / 'harm')), tmp_path / 'hostile.pth')
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')
    with pytest.raises(pickle.UnpicklingError):
        load_local_checkpoint(str(tmp_path / 'hostile.pth'))
    assert not (tmp_path / 'harm').exists()


def test_files_outside_of_the_data_root_are_refused(tmp_path):
    root, outside = tmp_path / 'data', tmp_path / 'data_of_others'
    root.mkdir()
    outside.mkdir()
    (outside / 'secret.mp4').touch()
    (root / 'link.mp4').symlink_to(outside / 'secret.mp4')
    (root / 'fine.mp4').touch()
    inside = TRANSFORMS.build(dict(type='InsideRoot', root=str(root)))
    fine = dict(filename=str(root / 'fine.mp4'))
    assert inside(fine) is fine
    assert inside(dict(frame_dir=str(root / 'a' / 'b')))
    for name in (root / 'link', root / '..' / 'data_of_others' / 'secret.mp4',
                 outside / 'secret.mp4', root / 'link.mp4', root):
        with pytest.raises(ValueError, match='lies outside of root'):
            inside(dict(filename=str(name)))
