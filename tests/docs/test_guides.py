"""Run tutorial and fine-tuning guide as a reader does."""

import re
import shlex
from pathlib import Path

import pytest
import torch
from mmaction_multigrid import apply_multigrid
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmaction.registry import MODELS
from ..conftest import ROOT
from ..small import run
from .pages import FINE_TUNING, TUTORIAL, blocks, commands, section

STOCK = ('mmaction::recognition/i3d/'
         'i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb.py')


@pytest.fixture
def type_in(python):
    """Run the commands of a page in a folder, and return their output."""

    def call(text, folder):
        shown = []
        for line in commands(text):
            # As bash does: the content of a file.
            line = re.sub(r'\$\(cat (\S+)\)', lambda match:
                          (folder / match[1]).read_text(), line)
            program, *args = shlex.split(line)
            assert program == 'python'
            shown.append(python(*args, cwd=folder))
        return '\n'.join(shown)

    return call


@pytest.fixture(scope='module')
def reader(tmp_path_factory):
    """Make a folder with the tutorial's files and the tools."""
    folder = tmp_path_factory.mktemp('reader')
    (folder / 'tools').symlink_to(ROOT / 'tools')
    rules = section('get_started.md', 'Transforms of your own')
    for text in blocks(TUTORIAL + rules, 'python'):
        (folder / re.match(r'# (\w+\.py)\n', text)[1]).write_text(text)
    return folder


def test_the_tutorial(reader, type_in):
    output = type_in(TUTORIAL, reader)
    for text in ('12 epochs', '64 x 2 x 16', 'WARNING: the schedule has',
                 'acc/top1'):
        assert text in output


def test_the_rule_of_the_guide_halves_a_radius(reader, monkeypatch):
    from mmaction_multigrid.core.dataset import ClipShape
    from mmaction_multigrid.core.transform_rules import RULES, find_rule
    monkeypatch.syspath_prepend(str(reader))
    cfg = Config.fromfile(reader / 'my_multigrid.py')
    step = dict(type='MyBlur', radius=4)
    cfg.train_dataloader.dataset.pipeline.insert(4, step)
    with pytest.raises(ValueError, match='MyBlur'):
        apply_multigrid(cfg)
    import my_transforms  # noqa: F401
    try:
        apply_multigrid(cfg)
        grid = ClipShape(
            num_frames=8, crop_size=16, base_frames=8, base_crop=32)
        assert find_rule(step).variants(step, grid) == [dict(step, radius=2)]
    finally:
        RULES.pop('MyBlur')
        my_transforms.TRANSFORMS.module_dict.pop('MyBlur')


def test_the_fine_tuning_guide(tmp_path, monkeypatch, type_in):
    """Start from a checkpoint of 400 classes, with 24 videos of four."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'tools').symlink_to(ROOT / 'tools')
    run(ROOT / 'tools' / 'data' / 'moving_digits.py', 'data/mine', '--classes',
        4, '--num-train', 24, '--num-val', 4, '--num-frames', 16)
    base = Path('base.py')
    base.write_text(
        blocks(TUTORIAL, 'python')[0].replace('num_classes=4',
                                              'num_classes=400'))
    init_default_scope('mmaction')
    model = MODELS.build(Config.fromfile(base).model)
    torch.save(
        dict(state_dict=model.state_dict(), meta={}), 'i3d_kinetics400.pth')
    guide = blocks(FINE_TUNING, 'python')[0]
    assert STOCK in guide
    Path('stock.py').write_text(guide)
    resolved = apply_multigrid(Config.fromfile('stock.py'))
    stages = resolved.train_dataloader.batch_sampler.stages
    assert {shape[0]
            for stage in stages for shape in stage['shapes']} == {1, 2}
    assert resolved.train_cfg.max_epochs == 41
    # A third of the epochs: 27 coarse batches, and 5 epochs of 6 full ones.
    for text, shorter in ((STOCK, 'base.py'), ('max_epochs=30',
                                               'max_epochs=10'),
                          ('end=30', 'end=10'), ('12, 20, 25', '4, 8')):
        assert text in guide
        guide = guide.replace(text, shorter)
    Path('finetune.py').write_text(guide)
    output = type_in(FINE_TUNING, tmp_path)
    assert 'max_batch_factor = 2, finish = 0.5' in output
    assert re.search('iterations +57 +60', output)
    assert 'size mismatch for cls_head.fc_cls.weight' in output
    assert 'acc/top1' in output
    log = sorted(Path('work_dirs/finetune').glob('*/*.log'))[0].read_text()
    assert re.search(
        '[0-9]+ epochs in [0-9]+ stages, 57 iterations; base '
        'training: 10 epochs, 60 iterations', log)
    assert 'max_batch_factor = 2' in log
