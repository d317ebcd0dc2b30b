"""Run ``store build``, and train from its store."""

import re

import pytest
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.__main__ import main
from mmaction_multigrid.frame_store.index import Index
from mmengine.config import Config
from mmengine.runner import Runner

from ..small import scalars
from ..videos import encode

SIDES = ('--sides', '16')


@pytest.mark.parametrize(('content', 'options', 'status', 'message'), [
    ('a.mp4 0\na.mp4 1\n', SIDES, 0, '1 of these 1 videos'),
    ('a.mp4 0\nbad.mp4 1\n', SIDES, 1, '1 videos could not be copied'),
    ('bad.mp4 0\nodd.mp4 1\n', SIDES, 2,
     'none of these 2 videos could be copied. The first: '),
    ('odd one.mp4 0\n', SIDES, 2, 'another VideoDataset.delimiter'),
    ('gone.mp4 0\n', SIDES, 2, 'The first: '),
    ('bad.mp4/a.mp4 0\n', SIDES, 2, 'bad.mp4: is a file; a frame store'),
    ('a.mp4 0\n', (*SIDES, '--splits', 'val'), 2, 'val_dataloader: is miss'),
    ('a.mp4 0\n', (*SIDES, '--root', 'gone'), 2, '--root gone: is no folder'),
    ('', SIDES, 2, 'names no video'),
    (None, SIDES, 2, 'list.txt: there is no such list'),
    (None, ('--config', ), 2, 'list.txt: there is no such list'),
])
def test_store_build(tmp_path, capsys, small_config, content, options, status,
                     message):
    encode(tmp_path / 'a.mp4', 4)
    (tmp_path / 'bad.mp4').write_bytes(b'no video')
    if content is not None:
        (tmp_path / 'list.txt').write_text(content, encoding='utf-8')
    command = [
        tmp_path / 'list.txt', tmp_path / 'store', '--root', tmp_path,
        '--processes', 1, *options
    ]
    if options[-1] == '--config':
        command.append(small_config)
    assert main(['store', 'build', *map(str, command)]) == status
    printed = capsys.readouterr()
    assert message in ' '.join((printed.out + printed.err).split())


def test_splits_and_psnr(digits, small_config, tmp_path, capsys):
    """Train clips need coarse copies, and validation full ones."""
    command = 'build', str(tmp_path / 'store')
    options = ('--config', str(small_config), '--splits', 'train', 'val',
               '--cfg-options', 'train_dataloader.batch_size=3')
    assert main(['store', *command, *options, '--processes', '1']) == 0
    assert 'short sides of 28, 40, 56 pixels' in capsys.readouterr().out
    check = 'store', 'check', str(tmp_path / 'store')
    assert main([*check, *options]) == 0
    out = capsys.readouterr().out
    found = re.findall(
        r'(\d+) pixels: a PSNR of (\S+) dB, (\S+) dB at least, in 16 ', out)
    assert [int(edge) for edge, *_ in found] == [28, 40, 56]
    assert all(25 < float(lowest) <= float(mean) < 60
               for _, mean, lowest in found)
    encode(tmp_path / 'a.mp4', 4)
    (tmp_path / 'list.txt').write_text('a.mp4 0\n')
    assert main([
        *check, '--config',
        str(small_config), '--cfg-options',
        f'train_dataloader.dataset.ann_file={tmp_path / "list.txt"}',
        f'train_dataloader.dataset.data_prefix.video={tmp_path}'
    ]) == 0
    assert 'holds none of 1 videos of the config' in capsys.readouterr().out


def test_segments_of_a_list(tmp_path, capsys):
    encode(tmp_path / 'a.mp4', 30)
    (tmp_path / 'list.txt').write_text('a.mp4 0 0.4 0\na.mp4 0.4 1 2\n')
    assert main([
        'store', 'build',
        str(tmp_path / 'list.txt'),
        str(tmp_path / 'store'), '--root',
        str(tmp_path), '--segments', *SIDES, '--processes', '1'
    ]) == 0
    rows = Index(tmp_path / 'store').videos['copies']['rows'] - 1
    assert sorted(rows[:, 0].tolist()) == [10, 15]


@pytest.mark.filterwarnings('ignore:.*lacks videos')
def test_training_from_a_store(digits, small_config, trained, tmp_path,
                               capsys):
    """The store holds a third of the videos; only pixels differ."""
    (tmp_path / 'some.txt').write_text(''.join(
        (digits / 'train.txt').read_text().splitlines(keepends=True)[::3]))
    store, work_dir = tmp_path / 'store', tmp_path / 'run'
    assert main([
        'store', 'build',
        str(tmp_path / 'some.txt'),
        str(store), '--root',
        str(digits), '--config',
        str(small_config), '--processes', '1'
    ]) == 0
    assert ('8 of these 8 videos with short sides of 28, 40 pixels'
            in capsys.readouterr().out)
    cfg = Config.fromfile(small_config)
    cfg.multigrid.grid_store, cfg.work_dir = str(store), str(work_dir)
    Runner.from_cfg(apply_multigrid(cfg)).train()
    plain, ours = scalars(trained), scalars(work_dir)
    losses = [[entry.pop('loss') for entry in log] for log in (plain, ours)]
    assert plain == ours
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], abs=0.3)
    assert not list(work_dir.glob('bad_videos*'))
