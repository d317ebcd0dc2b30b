"""A checkpoint of a stranger runs nothing; every checkpoint that mmengine writes is read."""

import builtins
import codecs
import functools
import http.server
import io
import operator
import os
import pickle
import subprocess
import threading
from collections import Counter, OrderedDict, defaultdict
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader, Runner

from mmaction_multigrid import apply_multigrid, patches
from mmaction_multigrid.survival import checkpoint_loading

from ..toy import base_config, new_name

HISTORY = 'mmengine.logging.history_buffer.HistoryBuffer'


class Call:
    """Is pickled as the call of a function, or of what another call returns."""

    def __init__(self, function, *args):
        self.call = function, args

    def __call__(self):
        """Only so that pickle takes one call for the function of another."""

    def __reduce__(self):
        return self.call


def by_getattr(path):
    """eval, found from the one class that getattr is needed for."""
    names = Call(getattr, Call(getattr, HistoryBuffer, 'update'), '__globals__')
    everything = Call(Call(getattr, names, 'get'), '__builtins__')
    return Call(Call(Call(getattr, everything, 'get'), 'eval'), f'open({path!r}, "w")')


HOSTILE = dict(
    system=(lambda path: Call(os.system, f'touch {path}'), f'{os.name}.system'),
    popen=(lambda path: Call(subprocess.Popen, ['touch', path]), 'subprocess.Popen'),
    open=(lambda path: Call(builtins.open, path, 'w'), 'io.open'),
    eval=(lambda path: Call(eval, f'open({path!r}, "w")'), 'builtins.eval'),
    exec=(lambda path: Call(exec, f'open({path!r}, "w")'), 'builtins.exec'),
    import_=(lambda path: Call(Call(getattr, Call(__import__, 'os'), 'system'), f'touch {path}'), 'builtins.__import__'),
    partial=(lambda path: Call(functools.partial(open, path, 'w')), 'functools.partial'),
    methodcaller=(lambda path: Call(operator.methodcaller('__call__', path, 'w'), open), 'operator.methodcaller'),
    torch_load=(lambda path: Call(torch.load, path), 'torch.serialization.load'),
    getattr=(by_getattr, rf'getattr\({HISTORY}, .update.\)'),
    getattr_of_torch=(lambda path: Call(getattr, torch.Tensor, 'storage'), r'getattr\(torch.Tensor'))


@pytest.mark.parametrize('zipped', [True, False], ids=['zip', 'legacy'])
@pytest.mark.parametrize('kind', HOSTILE)
def test_a_hostile_checkpoint_runs_nothing_and_is_named(tmp_path, kind, zipped):
    make, name = HOSTILE[kind]
    hostile = dict(state_dict=dict(a=torch.ones(2)), message_hub=dict(log_scalars=HistoryBuffer([1.], [1])),
                   meta=make(str(tmp_path / 'harm')))
    path = tmp_path / 'hostile.pth'
    torch.save(hostile, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(pickle.UnpicklingError, match=rf'(?s)hostile\.pth.* {name}.*TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD=1'):
        CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
    assert not (tmp_path / 'harm').exists()


POINTER = (1, ), 'O', bytes(8)  # memory of the file's, taken for a Python object


@pytest.mark.parametrize(('forged', 'name'), [
    (Call(np.ndarray, *POINTER), 'numpy.ndarray'), (np.array([None]), r'numpy.dtype\(.O8'),
    (np.zeros(2, dtype='i4,f4'), r'numpy.dtype\(.V8'),
    (Call(torch._tensor._rebuild_from_type_v2, np.ndarray, np.ndarray, POINTER, ()), 'numpy.ndarray'),
    (Call(np.array([]).__reduce_ex__(5)[0], bytes(8), 'O', (1, ), 'C'), r'numpy.frombuffer\(..., .O'),
    (Call(codecs.encode, 'harm', 'rot13'), '_codecs.encode.*rot13'),
    (Call(HistoryBuffer.mean, HistoryBuffer()), f'{HISTORY}.mean'), (pytest.raises, '_pytest.*raises')],
    ids=['pointer', 'objects', 'structure', 'rebuild', 'buffer', 'codec', 'statistics', 'function'])
def test_other_things_that_no_checkpoint_holds(tmp_path, forged, name):
    torch.save(dict(history=HistoryBuffer([1.], [1]), a=forged), tmp_path / 'forged.pth')
    with pytest.raises(pickle.UnpicklingError, match=name):
        checkpoint_loading.load_local_checkpoint(str(tmp_path / 'forged.pth'))


# A dict that answers to names: what is under 'append' would be called.
APPEND = b'\x80\x02cmmengine.config.config\nConfigDict\n}X\x06\x00\x00\x00appendcnumpy\nndarray\ns\x85R'


@pytest.mark.parametrize('program', [
    APPEND + b'K\x01a.', APPEND + b'(K\x01e.',
    APPEND.replace(b'\x06\x00\x00\x00append', b'\x03\x00\x00\x00add') + b'(K\x01\x90.',
    b'\x80\x02cmmengine.logging.history_buffer\nHistoryBuffer\nN}X\x04\x00\x00\x00evilK\x01s\x86b.',  # sets on the class
    b"(S'x'\nios\nsystem\n.", b"(cos\nsystem\nS'x'\no.", b'\x80\x02cnumpy\nndarray\nK\x01\x85R.',
    b'\x80\x02]X\x04\x00\x00\x00evil)\x81.', b'\x80\x02]X\x04\x00\x00\x00evil)R.', b'\x80\x02X\x01\x00\x00\x00aQ.',
    b'\x80\x02\x82\x01.', b'\x80\x02h\x07.', b'not a pickle'])
def test_programs_that_no_pickler_writes(program):
    from mmaction_multigrid.survival import checkpoint_pickle
    with pytest.raises(pickle.UnpicklingError):
        checkpoint_pickle.load(io.BytesIO(program))
    assert not hasattr(HistoryBuffer, 'evil')


def contents():
    """All that checkpoints of mmengine were seen to hold, and what else is harmless."""
    scaler = dict(scale=65536., growth_factor=2., backoff_factor=0.5, growth_interval=2000, _growth_tracker=3)
    parameter = torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
    history = HistoryBuffer([1., 2.], [1, 1])
    tagged = torch.ones(2)
    tagged.tag = 'a tensor with an attribute is pickled otherwise'
    return dict(
        state_dict=OrderedDict(a=torch.arange(3.), b=parameter, c=torch.tensor(7), d=torch.ones(2, 2).half().T),
        optimizer=dict(loss_scaler=scaler, state={0: dict(momentum_buffer=None)}, param_groups=[dict(betas=(0.9, 0.99))]),
        param_schedulers=[dict(milestones=Counter([3, 5, 5]))],
        message_hub=dict(log_scalars=OrderedDict(loss=history), runtime_info=OrderedDict(
            best_score=np.float64(0.5), best=np.float32(0.25), flag=np.bool_(True), steps=np.arange(4),
            names=np.array(['ab']), empty=np.zeros((0, 3)), tagged=tagged, big=10**30, text=b'\x00\xff', none=b'')),
        meta=dict(device=torch.device('cpu'), dtype=torch.float16, size=torch.Size([2]), classes=ConfigDict(a=dict(b=1)),
                  parts=[{1}, frozenset([2]), 1j, slice(1, 2), bytearray(b'x'), range(3), defaultdict(list, a=[1])]))


def plain(value):
    """A nested value as something to compare."""
    if isinstance(value, HistoryBuffer):
        return 'history', *map(plain, value.data), value.mean()
    if isinstance(value, (torch.Tensor, np.ndarray, np.generic)):
        return type(value), value.dtype, tuple(value.shape), value.tolist()
    if isinstance(value, dict):
        return type(value), {key: plain(entry) for key, entry in value.items()}
    return type(value), list(map(plain, value)) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize('options', [dict(), dict(_use_new_zipfile_serialization=False), dict(pickle_protocol=3),
                                     dict(pickle_protocol=4), dict(pickle_protocol=5)], ids=str)
@pytest.mark.filterwarnings('ignore:Detected pickle protocol')  # torch's, of its own reader
def test_whatever_checkpoints_hold_is_read(tmp_path, options):
    torch.save(contents(), tmp_path / 'a.pth', **options)
    checkpoint = CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'), map_location='cpu')
    assert plain(checkpoint) == plain(contents())


def stock_config(work_dir, epochs):
    """A config of MMAction2's, without a line of multigrid, that has much written into its checkpoints."""
    cfg = base_config(work_dir, max_epochs=epochs, milestones=(1, 2))
    for key in ('multigrid', 'runner_type'):
        cfg.pop(key)
    cfg.custom_hooks.append(dict(type='EMAHook'))
    cfg.optim_wrapper.accumulative_counts = 2
    cfg.train_dataloader.dataset.metainfo = dict(classes=['a', 'b'], palette=dict(a=1))
    cfg.default_hooks.checkpoint.save_best = 'auto'
    cfg.param_scheduler += [
        dict(type='CosineAnnealingLR', T_max=4), dict(type='MultiStepMomentum', milestones=[1]),
        dict(type='OneCycleLR', eta_max=0.1, total_steps=100, by_epoch=False), dict(type='PolyLR', eta_min=1e-4),
        dict(type='CosineAnnealingMomentum', T_max=4), dict(type='ReduceOnPlateauLR', monitor='acc/top1', rule='greater')]
    return cfg


@pytest.mark.filterwarnings('ignore:Detected call of `scheduler.step:UserWarning')  # while gradients accumulate
@pytest.mark.parametrize('kind', ['stock', 'multigrid'])
def test_checkpoints_of_whole_runs_load_and_resume(tmp_path, kind):
    """As torch reads them without any restriction."""
    def config(epochs):
        cfg = stock_config(tmp_path, epochs)
        if kind == 'multigrid':
            cfg.multigrid, cfg.param_scheduler = dict(precise_bn=2, stages=[dict(epochs=3)]), []
            cfg = apply_multigrid(cfg)  # whose schedule a resume has to keep: the first run is broken off
            cfg.custom_hooks += [dict(type='StopHook', epoch=2)] if epochs == 2 else []
        cfg.resume = epochs > 2
        return new_name(cfg)

    with pytest.raises(KeyboardInterrupt) if kind == 'multigrid' else nullcontext():
        Runner.from_cfg(config(2)).train()
    files = sorted(tmp_path.glob('*.pth'))
    assert len(files) >= 2 and any('best' in path.name for path in files)
    for path in files:
        checkpoint = CheckpointLoader.load_checkpoint(str(path), map_location='cpu')
        expected = torch.load(path, weights_only=False)
        assert plain(checkpoint) == plain(expected)
    runner = Runner.from_cfg(config(3))
    runner.train()
    assert runner.epoch == 3
    assert 'resumed epoch: 2' in next(path.read_text() for path in sorted(tmp_path.rglob('*.log'))[::-1])


@pytest.mark.parametrize('prefix', ['http', 'torchvision'])
def test_a_download_runs_nothing_either(tmp_path, monkeypatch, prefix):
    """mmengine reads what it has downloaded in full, whatever the torch."""
    (tmp_path / 'web').mkdir()
    torch.save(contents(), tmp_path / 'web' / 'fine.pth')
    torch.save(dict(a=Call(open, str(tmp_path / 'harm'), 'w')), tmp_path / 'web' / 'hostile.pth')
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / 'web'))
    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, 'log_message', lambda *args: None)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        urls = {name: f'http://127.0.0.1:{server.server_port}/{name}.pth' for name in ('fine', 'hostile')}
        if prefix == 'torchvision':
            monkeypatch.setattr('mmengine.runner.checkpoint.get_torchvision_models', lambda: urls)
            names = {name: f'torchvision://{name}' for name in urls}
        else:
            names = urls
        try:
            for _ in range(2):  # from the net, and from where it was kept
                checkpoint = CheckpointLoader.load_checkpoint(names['fine'], map_location='cpu')
                assert plain(checkpoint) == plain(contents())
            with pytest.raises(pickle.UnpicklingError, match='hostile.pth names io.open'):
                CheckpointLoader.load_checkpoint(names['hostile'])
        finally:
            server.shutdown()
    assert not (tmp_path / 'harm').exists()
    assert sorted(path.name for path in tmp_path.glob('home/**/*.pth')) == ['fine.pth', 'hostile.pth']


def test_a_file_can_be_trusted_all_the_same(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr('mmengine.logging.print_log', lambda text, **kwargs: said.append(text))
    torch.save(dict(a=Call(open, str(tmp_path / 'run'), 'w')), tmp_path / 'a.pth')
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    checkpoint_loading.load_local_checkpoint(str(tmp_path / 'a.pth'))['a'].close()
    assert (tmp_path / 'run').exists()
    assert 'a.pth names io.open' in said[0] and 'read in full' in said[0]
    torch.save(contents(), tmp_path / 'b.pth')
    assert checkpoint_loading.load_local_checkpoint(str(tmp_path / 'b.pth')) and len(said) == 1


def test_local_checkpoints_are_read_so_on_every_torch(monkeypatch):
    monkeypatch.setattr(CheckpointLoader, '_schemes', {})
    monkeypatch.setattr(torch, '__version__', '1.13.0')
    assert patches.patch_checkpoint_loading()
    assert CheckpointLoader._schemes[''] is checkpoint_loading.load_local_checkpoint
