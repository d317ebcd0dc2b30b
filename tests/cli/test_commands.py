"""Run every command, with help and with mistakes."""

import json

import pytest
from mmaction_multigrid.__main__ import COMMANDS, main
from mmaction_multigrid.cli.common import format_time, print_table
from mmengine.config import Config

from ..conftest import ROOT
from ..profiling.test_runs import FIRST, RESUMED, write
from ..small import K400
from ..videos import encode

CONFIGS = ROOT / 'configs' / 'recognition'
UNIFORMER, = CONFIGS.glob('uniformerv2/*multigrid*')
SWIN, = CONFIGS.glob('swin/*multigrid*')
STOCK = ('mmaction::recognition/slowfast/'
         'slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb.py')
BUILD = ['store', 'build', 'nowhere.txt', 'store', '--sides']


@pytest.fixture
def call(capsys):
    """Run a command; return its exit status, stdout and stderr."""

    def call(*argv):
        try:
            status = main(list(map(str, argv)))
        except SystemExit as error:
            status = error.code
        return (status, *capsys.readouterr())

    return call


@pytest.mark.parametrize(
    'command',
    [[], *([name] for name in COMMANDS), *(['store', name]
                                           for name in ('build', 'check'))],
    ids=' '.join)
def test_help_fits_a_screen(call, monkeypatch, command):
    monkeypatch.setenv('COLUMNS', '100')
    status, out, _ = call(*command, '--help')
    assert status == 0 and len(out.splitlines()) <= 30


@pytest.mark.parametrize(('argv', 'message'), [
    ([], 'required: COMMAND'),
    (['nonsense'], "invalid choice: 'nonsense'"),
    (['schedule', 'nowhere.py'], 'schedule: nowhere.py: cannot be read as a '
     'config: FileNotFoundError'),
    (['schedule', ROOT / 'README.md'
      ], 'README.md: cannot be read as a config'),
    (['schedule', STOCK], 'has no multigrid key: it is a plain or a resolved'),
    (['schedule', K400, '--cfg-options', 'multigrid.epoch_factor=0'
      ], 'multigrid.epoch_factor = 0: must be a number'),
    (['schedule', K400, '--cfg-options', 'multigrid.max_batch_factor=auto'
      ], 'give an integer or None, or --clips of the command'),
    (['schedule', K400, '--clips', '0'], '--clips: 0: must be above 0'),
    (['check', K400, '--batch-size', '-1'], '--batch-size: -1: must be above'),
    (['resolve', K400, 'no/such/folder/out.py'], 'No such file or directory'),
    (['resolve', K400, 'out.json'], 'resolve: out.json: must end in .py'),
    (['store', 'check', 'nowhere'], "nowhere': has no grid_store.json"),
    (['store', 'build', 'store'], '--config is missing'),
    ([*BUILD, '32'], 'nowhere.txt: there is no such list'),
    ([*BUILD, '32', '--part', '3/2'], '--part: 3/2: must be I/N'),
    ([*BUILD, '32', '--full'], '--full: not allowed with argument --sides'),
    ([*BUILD, '32', '--processes', '0'], '--processes: 0: must be above 0'),
    (['videos', 'nowhere.txt'], 'nowhere.txt: there is no such list'),
    (['report', 'nowhere'], 'report: nowhere: has no TIME/vis_data'),
])
def test_a_mistake_is_the_last_line(call, argv, message):
    status, out, err = call(*argv)
    assert (status, out) == (2, '')
    assert message in err.splitlines()[-1]


def test_debug_shows_where_an_error_comes_from(capsys):
    with pytest.raises(ValueError, match=r'nowhere\.py'):
        main(['--debug', 'schedule', 'nowhere.py'])
    assert ('mmaction_multigrid: mmengine loads checkpoints by a reader'
            in capsys.readouterr().err)


@pytest.mark.parametrize(
    'config', [K400, UNIFORMER, SWIN], ids=['slowfast', 'uniformer', 'swin'])
def test_the_schedule_fits_a_terminal(call, config):
    status, out, _ = call('schedule', config)
    assert status == 0 and max(map(len, out.splitlines())) <= 80


def test_a_config_of_a_scope(call):
    status, out, _ = call('schedule', STOCK, '--format', 'json',
                          '--cfg-options', 'multigrid.epoch_factor=1.5')
    assert status == 0 and json.loads(out)['max_epochs'] == 384


@pytest.mark.parametrize(('seconds', 'text'), [
    (0.6, '0:00:01'),
    (3725., '1:02:05'),
    (1e5, '1 day, 3:46:40'),
])
def test_units_of_durations(seconds, text):
    assert format_time(seconds) == text


def test_resolve_writes_and_prints_the_same(call, tmp_path):
    status, printed, _ = call('resolve', K400)
    assert status == 0
    assert call('resolve', K400, tmp_path / 'a.py')[:2] == (0, '')
    assert (tmp_path / 'a.py').read_text() in printed
    assert Config.fromfile(tmp_path / 'a.py').train_cfg.max_epochs == 358


def test_report(call, tmp_path):
    write(tmp_path / 'base', FIRST, RESUMED)
    write(tmp_path / 'ours', FIRST)
    status, out, _ = call('report', tmp_path / 'base', tmp_path / 'ours',
                          '--out', tmp_path / 'report.png')
    assert status == 0
    lines = [' '.join(line.split()) for line in out.splitlines()]
    assert 'base 3 170 0:00:27 24 % 87.5 % 0:00:27 1.00' in lines
    assert 'ours 2 70 0:00:17 38 % 75.0 % - -' in lines
    assert 'times are without validations and checkpoints' in lines
    assert (tmp_path / 'report.png').read_bytes().startswith(b'\x89PNG')


def test_a_store_from_nothing_to_damage(call, tmp_path):
    encode(tmp_path / 'a.mp4', 24, 160, 128)
    encode(tmp_path / 'b.mp4', 20, 160, 128)
    (tmp_path / 'list.txt').write_text('a.mp4 0\nb.mp4 1\nmissing.mp4 0\n')
    store, whole = tmp_path / 'store', (
        0, '2 videos, 2 copies, 0 of them damaged\n')
    build = ('store', 'build', tmp_path / 'list.txt', store, '--root',
             tmp_path, '--sides', 64, '--processes', 1)
    status, out, _ = call(*build, '--part', '1/2')
    assert status in (0, 1)  # a video is missing, in one of the parts
    assert 'part 1/2 is done; the store can be used when all parts are' in out
    status, _, err = call('store', 'check', store)
    assert status == 2 and 'is not finished' in err
    status, out, _ = call(*build)
    assert status == 1 and '1 videos could not be copied' in out
    assert '2 of these 3 videos with short sides of 64 pixels' in out
    assert call('store', 'check', store)[:2] == whole
    copy, other = sorted((store / '64').rglob('*.mjpeg'))
    content = copy.read_bytes()
    copy.write_bytes(content[:-200] + bytes([content[-200] ^ 1]) +
                     content[-199:])
    other.write_bytes(other.read_bytes() + b'more')
    status, out, _ = call('store', 'check', store)
    assert status == 1 and f'{copy.name}: is damaged' in out
    assert f'{other.name}: is damaged' in out
    copy.unlink()
    assert 'No such file' in call('store', 'check', store)[1]
    call(*build)  # as the last line of the check says
    assert call('store', 'check', store)[:2] == whole
    assert copy.read_bytes() == content


def test_tables_are_plain_and_not_cut(capsys):
    print_table(('name', 'of the\nbase'), [('a' * 150, '1'), ('b', '[b]2')])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [['of',
                                                 'the'], ['name', 'base'],
                                                ['a' * 150, '1'],
                                                ['b', '[b]2']]
