"""Load the checkpoints of mmengine, and refuse hostile ones."""

import functools
import http.server
import os
import pickle
import threading
from collections import Counter, OrderedDict

import numpy as np
import pytest
import torch
from mmaction_multigrid import patches
from mmaction_multigrid.checkpoints.loading import load_local_checkpoint
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

pytestmark = pytest.mark.skipif(
    torch.__version__ < '2.6',
    reason='older torch loads as without the package')


class Call:
    """Object that is pickled as a call with a state for its result."""

    def __init__(self, function, *args, state=None):
        self.call = function, args, state

    def __reduce__(self):
        return self.call if self.call[2] else self.call[:2]


POINTER = (1, ), 'O', bytes(8)  # taken for the address of a Python object
REBUILD = torch._tensor._rebuild_from_type_v2
# File that is written if the checkpoint is run -> content; what refusal names.
HOSTILE = dict(
    blocked=(lambda path: Call(os.system, f'touch {path}'), r'\w+\.system'),
    function=(lambda path: Call(open, path, 'w'), 'io.open'),
    builtin=(lambda path: Call(eval, f'open({path!r}, "w")'), 'eval'),
    named=(lambda path: pytest.raises, 'pytest.*raises'),
    getattr=(lambda path: Call(getattr, HistoryBuffer, 'update'),
             r'getattr\(.*HistoryBuffer.*update'),
    getattr_of_torch=(lambda path: Call(getattr, torch.Tensor, 'storage'),
                      r'getattr\(.*torch.Tensor'),
    method=(lambda path: Call(HistoryBuffer.mean, HistoryBuffer()), 'mean'),
    pointer=(lambda path: Call(np.ndarray, *POINTER), '_Array'),
    rebuilt=(lambda path: Call(REBUILD, np.ndarray, np.ndarray, POINTER,
                               ()), 'values to unpack'),
    objects=(lambda path: np.array([None]), r'numpy.dtype\(.O8'),
    structure=(lambda path: np.zeros(2, 'i4,f4'), r'numpy.dtype\(.V8'))


@pytest.mark.parametrize('kind', HOSTILE)
def test_a_hostile_checkpoint_is_refused_by_name(tmp_path, kind):
    make, name = HOSTILE[kind]
    hostile = dict(
        state_dict=dict(a=torch.ones(2)),
        message_hub=HistoryBuffer([1.], [1]),
        meta=make(str(tmp_path / 'harm')))
    message = rf'^\S*bad\.pth is refused: .*{name}.*NO_WEIGHTS_ONLY_LOAD=1$'
    for zipped in (True, False):
        torch.save(
            hostile,
            tmp_path / 'bad.pth',
            _use_new_zipfile_serialization=zipped)
        with pytest.raises(pickle.UnpicklingError, match=message):
            CheckpointLoader.load_checkpoint(str(tmp_path / 'bad.pth'))
    assert not (tmp_path / 'harm').exists()


def test_the_state_of_a_dtype_is_not_taken_over(tmp_path):
    """The state could turn numbers of the file into Python objects."""
    fields = dict(a=(np.dtype('i8'), 0))
    dtype = Call(
        np.dtype,
        'f8',
        False,
        True,
        state=(3, '<', None, ('a', ), fields, 8, 8, 63))
    make, args, state = np.ones(2).__reduce__()
    array = Call(make, *args, state=(*state[:2], dtype, *state[3:]))
    torch.save(dict(a=array), tmp_path / 'a.pth')
    array = load_local_checkpoint(str(tmp_path / 'a.pth'))['a']
    assert (array.dtype, array.dtype.flags) == (np.dtype('f8'), 0)
    assert array.tolist() == [1, 1]


@pytest.mark.parametrize('content', [b'not a pickle', b'\x80\x02h\x07.'])
def test_a_damaged_file(tmp_path, content):
    (tmp_path / 'a.pth').write_bytes(content)
    with pytest.raises(pickle.UnpicklingError, match='a.pth is refused: '):
        load_local_checkpoint(str(tmp_path / 'a.pth'))


def contents():
    """Return kinds of values that checkpoints of mmengine hold."""
    tagged = torch.ones(2)
    tagged.tag = 'a tensor with an attribute is pickled otherwise'
    state = {0: dict(momentum_buffer=None)}
    info = OrderedDict(
        best=np.float64(0.5),
        flag=np.bool_(True),
        steps=np.arange(4),
        big=np.arange(4, dtype='>i4'),
        names=np.array(['ab']),
        text=b'\xff',
        half=np.float16(2),
        name=np.str_('ab'),
        empty=np.zeros((0, 3)),
        turned=np.ones((2, 3)).T,
        kind=np.dtype('f4'),
        pair=(np.ones(1), 2))
    return dict(
        state_dict=OrderedDict(
            a=torch.arange(3.),
            c=torch.tensor(7),
            d=torch.ones(2, 2).half().T,
            b=torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))),
        optimizer=dict(loss_scaler=dict(scale=65536.), state=state),
        param_schedulers=[dict(milestones=Counter([3, 5, 5]))],
        message_hub=dict(
            log_scalars=dict(loss=HistoryBuffer([1., 2.], [1, 1])),
            runtime_info=info,
            tagged=tagged),
        meta=dict(
            device=torch.device('cpu'),
            size=torch.Size([2]),
            dtype=torch.float16,
            classes=ConfigDict(a=dict(b=1))))


def plain(value):
    """Convert a nested value into values that can be compared."""
    if isinstance(value, HistoryBuffer):
        return 'history', *map(plain, value.data), value.mean()
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        return (type(value), value.dtype, tuple(value.shape), value.tolist())
    if isinstance(value, dict):
        return type(value), {key: plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return type(value), list(map(plain, value))
    return type(value), value


@pytest.mark.parametrize('zipped', [True, False])
def test_contents_of_checkpoints_are_read(tmp_path, zipped):
    path = str(tmp_path / 'a.pth')
    torch.save(contents(), path, _use_new_zipfile_serialization=zipped)
    checkpoint = CheckpointLoader.load_checkpoint(path)
    assert plain(checkpoint) == plain(contents())
    array = checkpoint['message_hub']['runtime_info']['steps']
    array[:] = 0  # no view of read-only memory


def test_a_download_runs_nothing_either(tmp_path, monkeypatch):
    """mmengine by itself reads downloads in full with every torch."""
    web = tmp_path / 'web'
    web.mkdir()
    torch.save(contents(), web / 'fine.pth')
    hostile = Call(open, str(tmp_path / 'harm'), 'w')
    torch.save(dict(a=hostile), web / 'hostile.pth')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    handler = http.server.SimpleHTTPRequestHandler
    monkeypatch.setattr(handler, 'log_message', lambda *args: None)
    handler = functools.partial(handler, directory=str(web))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f'http://127.0.0.1:{server.server_port}'
        try:
            for _ in range(2):  # from the net, and from where it was kept
                found = CheckpointLoader.load_checkpoint(f'{url}/fine.pth')
                assert plain(found) == plain(contents())
            with pytest.raises(
                    pickle.UnpicklingError,
                    match='hostile.pth is refused: .*io.open'):
                CheckpointLoader.load_checkpoint(f'{url}/hostile.pth')
        finally:
            server.shutdown()
    assert not (tmp_path / 'harm').exists()
    assert len(list(tmp_path.glob('home/**/*.pth'))) == 2


@pytest.mark.filterwarnings('ignore:Environment variable TORCH_FORCE')
def test_a_file_can_be_trusted(tmp_path, monkeypatch):
    torch.save(
        dict(a=Call(open, str(tmp_path / 'run'), 'w')), tmp_path / 'a.pth')
    torch.save(contents(), tmp_path / 'b.pth')
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    load_local_checkpoint(str(tmp_path / 'a.pth'))['a'].close()
    assert (tmp_path / 'run').exists()
    found = load_local_checkpoint(str(tmp_path / 'b.pth'))
    assert found.keys() == contents().keys()


def test_older_torch_keeps_its_loading(monkeypatch):
    monkeypatch.setattr(CheckpointLoader, '_schemes', {})
    monkeypatch.setattr(torch, '__version__', '2.5.1')
    assert not patches.patch_checkpoint_loading()
    assert CheckpointLoader._schemes == {}
