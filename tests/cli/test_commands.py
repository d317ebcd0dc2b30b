"""One command line: a mistake is one line, help fits a screen, and every command does what it says."""

import json
from unittest import mock

import pytest
from mmengine.config import Config

from mmaction_multigrid.__main__ import COMMANDS, main
from mmaction_multigrid.cli.output import print_table
from mmaction_multigrid.patches import LEAVE_STACK

from ..conftest import ROOT
from ..plan.test_runs import FIRST, RESUMED, write
from ..videos import encode

K400 = ROOT / 'configs/recognition/slowfast/slowfast_r50-multigrid_8xb8-8x8x1-steplr-358e_kinetics400-rgb.py'
UNIFORMER, = ROOT.glob('configs/recognition/uniformerv2/*multigrid*')
SWIN, = ROOT.glob('configs/recognition/swin/*multigrid*')
PLAIN = ROOT / 'configs/recognition/slowfast/slowfast-tiny_1xb8-16x1x1-steplr-6e_moving-digits-rgb.py'
STOCK = 'mmaction::recognition/slowfast/slowfast_r50_8xb8-8x8x1-steplr-256e_kinetics400-rgb.py'


def outcome(capsys, *argv):
    """Exit status, stdout and stderr of a command."""
    try:
        status = main([str(arg) for arg in argv])
    except SystemExit as error:
        status = error.code
    return (status, *capsys.readouterr())


@pytest.mark.parametrize('command', [[], *([name] for name in COMMANDS), *(['store', name] for name in
                                                                           ('build', 'check', 'info'))], ids=' '.join)
def test_help_fits_a_screen(capsys, monkeypatch, command):
    monkeypatch.setenv('COLUMNS', '100')
    status, out, _ = outcome(capsys, *command, '--help')
    assert status == 0
    assert len(out.splitlines()) <= 30
    if len(command) == 1:
        assert f'mmaction-multigrid {command[0]} ' in out.split('\n\n')[-1]  # an example


@pytest.mark.parametrize(('argv', 'message'), [
    (['schedule', 'nowhere.py'], 'schedule: nowhere.py: there is no such config'),
    (['schedule', PLAIN], 'has no multigrid key: it is a plain or a resolved config'),
    (['schedule', 'mmaction::nowhere.py'], 'mmaction::nowhere.py: cannot be read as a config'),
    (['schedule', K400, '--cfg-options', 'multigrid.epoch_factor=0'], 'multigrid.epoch_factor = 0: must be a number'),
    (['resolve', K400, '--cfg-options', 'multigrid.nonsense=1'], "multigrid has no key 'nonsense'"),
    (['resolve', K400, 'no/such/folder/out.py'], 'No such file or directory'),
    (['resolve', K400, 'out.json'], 'resolve: out.json: must end in .py'),
    (['schedule', K400, '--cfg-options', 'multigrid.max_batch_factor=auto'],
     'give an integer or None, or --clips of the command'),
    (['schedule', K400, '--clips', '0'], '--clips 0: must be above 0'),
    (['check', K400, '--hours', '-1'], 'check: --hours -1: must be above 0'),
    (['store', 'info', 'nowhere'], "store: grid store = 'nowhere': has no grid_store.json"),
    (['store', 'build', 'nowhere.txt', 'store', '--sides', '3'], 'sides = [3]: must be short sides of at least'),
    (['store', 'build', 'nowhere.txt', 'store', '--sides', '32', '--part', '3/2'], '--part 3/2: must be I/N'),
    (['store', 'build', 'nowhere.txt', 'store', '--sides', '32', '--full'], '--full adds a size to those of the config'),
    (['store', 'build', 'nowhere.txt', 'store', '--sides', '32', '--quality', '0'], 'quality = 0: must be an integer'),
    (['store', 'build', 'nowhere.txt', 'store', '--sides', '32', '--processes', '0'], '--processes 0: must be at least'),
    (['store', 'build', 'store'], '--config is missing'),
    (['store', 'build', 'nowhere.txt', 'store', '--sides', '32'], 'nowhere.txt: there is no such list'),
    (['videos', 'nowhere.txt'], 'nowhere.txt: there is no such list'),
    (['report', 'nowhere'], 'report: nowhere: has no TIME/TIME.log'),
])
def test_a_mistake_is_one_line(capsys, argv, message):
    status, out, err = outcome(capsys, *argv)
    assert (status, out) == (2, '')
    assert message in err
    assert len(err.splitlines()) == 1


def test_a_config_that_is_no_config(capsys, tmp_path):
    (tmp_path / 'broken.py').write_text('model = dict(\n')
    status, _, err = outcome(capsys, 'schedule', tmp_path / 'broken.py')
    assert status == 2
    assert 'broken.py: cannot be read as a config: ' in err
    assert len(err.splitlines()) == 1


def test_debug_shows_where_an_error_comes_from(capsys):
    with pytest.raises(FileNotFoundError):
        main(['--debug', 'schedule', 'nowhere.py'])
    err = capsys.readouterr().err
    assert 'mmaction_multigrid: mmengine loads checkpoints by a reader' in err


def test_a_stack_that_is_left_as_it_is_is_named(capsys, monkeypatch):
    monkeypatch.setenv(LEAVE_STACK, '1')
    error = ModuleNotFoundError("No module named 'mmaction...drn'")
    monkeypatch.setattr('mmaction_multigrid.plan.build.MODELS.build',
                        mock.Mock(side_effect=error))
    status, _, err = outcome(capsys, 'check', K400, '--device', 'cpu')
    assert status == 2
    assert f"'mmaction...drn'; {LEAVE_STACK} is set: " in err


@pytest.mark.parametrize('config', [
    K400, UNIFORMER, SWIN], ids=['slowfast', 'uniformer', 'swin'])
def test_the_schedule_fits_a_terminal(capsys, config):
    status, out, _ = outcome(capsys, 'schedule', config)
    assert status == 0
    assert max(map(len, out.splitlines())) <= 80


def test_no_command_and_an_unknown_one(capsys):
    assert outcome(capsys)[0] == 2
    assert outcome(capsys, 'nonsense')[0] == 2


def test_a_config_of_a_scope(capsys):
    status, out, _ = outcome(capsys, 'schedule', STOCK, '--format', 'json', '--cfg-options', 'multigrid.epoch_factor=1.5')
    assert status == 0
    assert json.loads(out)['max_epochs'] == 384


def test_resolve_writes_what_it_prints(capsys, tmp_path):
    status, printed, _ = outcome(capsys, 'resolve', K400)
    assert status == 0
    assert outcome(capsys, 'resolve', K400, tmp_path / 'out.py')[:2] == (0, '')
    assert Config.fromfile(tmp_path / 'out.py').train_cfg.max_epochs == 358
    assert (tmp_path / 'out.py').read_text() in printed
    option = ('--out', tmp_path / 'option.py')
    assert outcome(capsys, 'resolve', K400, *option)[:2] == (0, '')
    assert (tmp_path / 'option.py').read_text() in printed
    assert outcome(capsys, 'resolve', K400, tmp_path / 'a.py', *option)[0] == 2


def test_schedule_draws_a_picture(capsys, tmp_path):
    picture = tmp_path / 'schedule.png'
    assert outcome(capsys, 'schedule', K400, '--png', picture)[0] == 0
    assert picture.read_bytes().startswith(b'\x89PNG')


def test_report(capsys, tmp_path):
    write(tmp_path / 'base', FIRST, RESUMED)
    write(tmp_path / 'ours', FIRST)
    status, out, _ = outcome(capsys, 'report', tmp_path / 'base',
                             tmp_path / 'ours', '--out',
                             tmp_path / 'report.png')
    assert status == 0
    lines = [' '.join(line.split()) for line in out.splitlines()]
    # Of 44 s the first run trained 20, waited 6.25 and evaluated 4.
    assert 'base 3 175 44 s 87.5 % 45 % 14 % 9 %' in lines
    assert 'ours 2 75 24 s 75.0 % 42 % 26 % 12 %' in lines
    assert 'ours / base 0.67x 2.33x fewer 1.83x faster -12.5' in lines
    assert '82.5 % 44 s - -' in lines
    assert (tmp_path / 'report.png').is_file()


def test_a_store_from_nothing_to_damage(capsys, tmp_path):
    for name in ('a.mp4', 'b.mp4'):
        encode(tmp_path / name, width=160, height=128)
    (tmp_path / 'list.txt').write_text('a.mp4 0\nb.mp4 1\nmissing.mp4 0\n')
    store = tmp_path / 'store'
    build = ('store', 'build', tmp_path / 'list.txt', store, '--root', tmp_path, '--sides', 64, '--processes', 1)
    status, out, _ = outcome(capsys, *build, '--part', '1/2')
    assert status == 1  # one of its videos is missing
    assert 'part 1/2 is done; the store can be used when all parts are' in out
    assert '2 videos are copied' not in out
    out = outcome(capsys, 'store', 'info', store)[1]
    assert 'not in the index: run `store build` again; until then the store cannot be used' in out
    status, out, _ = outcome(capsys, *build)
    assert status == 1  # not all are copied
    assert '2 of these 3 videos with short sides of 64 pixels' in out
    assert '1 videos could not be copied' in out
    assert '2 videos of 48 frames with short sides of 64 (' in outcome(capsys, 'store', 'info', store)[1]
    assert outcome(capsys, 'store', 'check', store)[:2] == (0, '2 videos, 2 copies, 0 of them not whole\n')
    copy, = (store / '64').rglob('a*.avi')
    other, = (store / '64').rglob('b*.avi')
    content = copy.read_bytes()
    copy.write_bytes(content[:-200] + bytes([content[-200] ^ 1]) + content[-199:])
    with open(other, 'ab') as file:
        file.write(b'more')
    status, out, _ = outcome(capsys, 'store', 'check', store)
    assert status == 1
    assert f'{copy.name}\tis damaged' in out
    assert f'{other.name}\tis damaged' in out
    copy.unlink()
    assert f'{copy.name}\tcannot be read: No such file' in outcome(capsys, 'store', 'check', store)[1]
    outcome(capsys, *build)  # as its last line says
    assert outcome(capsys, 'store', 'check', store)[:2] == (0, '2 videos, 2 copies, 0 of them not whole\n')
    assert copy.read_bytes() == content


def test_tables_are_plain_and_as_wide_as_their_cells(capsys):
    print_table(('name', 'figure'), [('a' * 150, '1'), (), ('b', '[red]22[/red]')], 'title', left=('name', ))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'title'
    assert lines[2].split() == ['a' * 150, '1']
    assert lines[-1].split() == ['b', '[red]22[/red]']
    assert not any(char in '│┃━' for char in ''.join(lines))
    print_table(('of the base shape', ), [('1.00', )])
    out = capsys.readouterr().out
    assert [line.strip() for line in out.splitlines()] == [
        'of', 'the', 'base', 'shape', '1.00']
