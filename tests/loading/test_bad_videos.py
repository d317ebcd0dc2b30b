"""Load unusual and broken video files."""

import random
from collections import Counter

import pytest
from mmaction_multigrid.__main__ import main
from mmaction_multigrid.config.pipeline import wrap
from mmaction_multigrid.core.shapes import Shape
from mmaction_multigrid.loading import videos

from mmaction.registry import DATASETS
from ..engine.test_training import train
from ..toy import base_config, tolerant_dataset
from ..videos import KINDS, broken_videos, encode, mutate, odd_videos

COARSE, BASE = Shape(8, 4, 28), Shape(1, 8, 40)
STEPS = [
    dict(type='DecordInit'),
    dict(type='SampleFrames', clip_len=8, frame_interval=2, num_clips=1),
    dict(type='DecordDecode'),
    dict(type='Resize', scale=(-1, 44)),
    dict(type='RandomCrop', size=40),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', meta_keys=('sample_idx', )),
]


def write_list(folder, names):
    (folder / 'list.txt').write_text(
        ''.join(f'{name}|{i % 2}\n' for i, name in enumerate(names)),
        encoding='utf-8')


def video_dataset(folder, names, steps=STEPS):
    write_list(folder, names)
    return dict(
        type='VideoDataset',
        ann_file=str(folder / 'list.txt'),
        data_prefix=dict(video=str(folder)),
        delimiter='|',
        pipeline=steps)


def multigrid_dataset(folder, names):
    steps = [wrap(step) for step in STEPS]
    return tolerant_dataset(
        DATASETS.build(video_dataset(folder, names, steps)), (8, 40))


def load_all(data, report, damaged=False):
    """Whether every clip comes out in its shape; what the report lists.

    A damaged one may be grey: decoders conceal.
    """
    data.watch(report=str(report))
    data.set_epoch(0, 0)
    for index in range(len(data)):
        for shape in (COARSE, BASE):
            clip = data[(index, shape)]['inputs']
            assert clip.shape == (1, 3, shape.num_frames, shape.crop_size,
                                  shape.crop_size)
            assert damaged or clip.float().std() > 1  # a picture
    return report.read_text(
        encoding='utf-8').splitlines() if report.exists() else []


def test_odd_videos_are_read(tmp_path):
    folder = tmp_path / 'odd videos'
    folder.mkdir()
    names = odd_videos(folder)
    assert len(names) == 12
    assert load_all(multigrid_dataset(folder, names),
                    tmp_path / 'report') == []


def train_on(folder, names, work_dir):
    """Train on a list; return names and errors of replaced files."""
    cfg = base_config(work_dir, max_epochs=4, milestones=(2, 3), workers=1)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.train_dataloader.dataset = video_dataset(folder, names)
    cfg.custom_hooks.append(dict(type='BadVideosHook', max_share=1))
    runner, records = train(cfg)
    # The model refuses clips of two shapes.
    assert len(records) == runner.max_iters
    lines = [
        line.split('\t')
        for line in (work_dir / 'bad_videos.txt').read_text().splitlines()
    ]
    assert all(error for _, error in lines)
    log = next(work_dir.rglob('*.log')).read_text()
    assert f'{len(lines)} files could not be loaded so far' in log
    return {name[len(str(folder)) + 1:]: error for name, error in lines}


def test_a_run_over_a_fifth_of_broken_videos(tmp_path):
    """Replace, name and list each of them."""
    folder = tmp_path / 'videos'
    folder.mkdir()
    broken = broken_videos(folder)
    assert len(broken) == 8
    for i in range(32):
        encode(folder / f'fine_{i}.mp4', 12, 64, 48)
    names = broken + [f'fine_{i}.mp4' for i in range(32)]
    assert train_on(folder, names, tmp_path / 'run').keys() == set(broken)


def damaged_videos(folder, count):
    """Write damaged copies of five clips in four containers; seeded."""
    sources = [
        encode(folder / 'a.mp4'),
        encode(folder / 'b.avi', codec='mpeg4'),
        encode(folder / 'c.mkv'),
        encode(folder / 'd.mp4', codec='libx265'),
        encode(folder / 'e.mov', pix_fmt='yuv420p10le'),
    ]
    generator = random.Random(0)
    for i in range(count):
        source, kind = (sources[i % len(sources)],
                        KINDS[i // len(sources) % len(KINDS)])
        path = folder / f'{i}_{kind}{source.suffix}'
        path.write_bytes(mutate(source.read_bytes(), kind, generator))
        yield path.name


@pytest.mark.parametrize('count',
                         [40, pytest.param(400, marks=pytest.mark.long)])
def test_damaged_files(tmp_path, count):
    """No file has a wrong shape or ends the run."""
    names = list(damaged_videos(tmp_path, count))
    answers = dict(
        videos.check_videos([str(tmp_path / name) for name in names],
                            timeout=20))
    left = [
        name for name in names
        if not answers[str(tmp_path / name)].startswith(('crash', 'hang'))
    ]
    lines = load_all(
        multigrid_dataset(tmp_path, ['a.mp4', *left]),
        tmp_path / 'report',
        damaged=True)
    replaced = {line.split('\t')[0].rsplit('/', 1)[1] for line in lines}
    kinds = Counter('replaced' if name in replaced else 'read'
                    for name in left)
    kinds.update(answers[str(tmp_path / name)].split(':')[0] for name in names
                 if name not in left)
    errors = list(train_on(tmp_path, names, tmp_path / 'run').values())
    crashed = errors.count('CrashedFile: ended the process that opened it')
    # Other files crash on frames that were not drawn.
    assert crashed >= kinds['crash'] / 2
    assert sum(kinds.values()) == count
    assert min(kinds['replaced'], kinds['read']) >= count / 8


def test_the_command_videos(tmp_path, capsys):
    names = broken_videos(tmp_path) + ['fine one.mp4']
    encode(tmp_path / 'fine one.mp4')
    write_list(tmp_path, names)
    clean = tmp_path / 'clean.txt'
    assert main([
        'videos',
        str(tmp_path / 'list.txt'), '--root',
        str(tmp_path), '--delimiter', '|', '--out',
        str(clean), '--processes', '2'
    ]) == 1
    assert clean.read_text() == 'fine one.mp4|0\n'
    printed = capsys.readouterr().out
    assert all(f'{tmp_path / name}\t' in printed for name in names[:-1])
    assert '9 videos: 1 fine, 8 cannot be read' in printed


def test_checking_videos_survives_its_readers(monkeypatch):
    monkeypatch.setattr(videos, 'READER', (
        'import os, signal, sys, time\nfor line in sys.stdin:\n    if "crash" '
        'in line: os.kill(os.getpid(), signal.SIGSEGV)\n    if "hang" in '
        'line: time.sleep(60)\n    print("fine", flush=True)\n'))
    names = ['a', 'crash', 'b', 'hang', 'c', 'x\ny']
    assert list(videos.check_videos(names, timeout=2, processes=3)) == list(
        zip(names, [
            'fine', 'crash: SIGSEGV', 'fine', 'hang: ended after 2 s', 'fine',
            'ValueError: a line break in the name'
        ]))
