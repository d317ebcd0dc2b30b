"""The command check on stock configs of every family, made small."""

import pytest

from mmaction_multigrid.__main__ import main
from mmaction_multigrid.profiling import probe

from ..stock_paths.families import FAMILIES

pytestmark = [pytest.mark.filterwarnings(f'ignore:{text}')
              for text in ('torch.meshgrid', 'torch.utils.checkpoint')]
AVA = ('mmaction::detection/slowfast/slowfast_kinetics400-pretrained-r50_'
       '8xb8-8x8x1-20e_ava21-rgb.py')
FEW = ['multigrid.short_cycle=False',
       'multigrid.long_cycle_factors=[(0.5,0.5),(1,1)]']


def check(config, *options):
    return main(['check', str(config), '--clips', '64', '--device', 'cpu',
                 *options])


@pytest.mark.parametrize('family', sorted(set(FAMILIES) - {'i3d_16'}))
def test_every_shape_of_a_stock_config_is_measured(family, tmp_path, capsys,
                                                   monkeypatch):
    """Its optimizer comes with ``_scope_``, its clips in a form of its own."""
    monkeypatch.setattr(probe, 'ENOUGH_SECONDS', 0)
    (tmp_path / 'config.py').write_text(FAMILIES[family].text('nowhere'))
    assert check(tmp_path / 'config.py', '--cfg-options', *FEW) == 0
    out, err = capsys.readouterr()
    assert 'fails: ' not in out and 'failed' not in out
    assert 'speed-up: ' in out and 'updates' in out
    lines = [line for line in err.splitlines() if line.startswith('step ')]
    last = lines[-1].split(':')[0].split()
    assert len(lines) >= 3 and all(line.endswith(' s') for line in lines)
    assert last[1] == last[3]  # of so many


def test_a_detector_is_refused_in_a_line(capsys):
    """It has no head of a recognizer, and needs another package."""
    assert check(AVA, '--cfg-options', 'multigrid.epoch_factor=1.5') == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "check: model.type = 'FastRCNN': needs mmdet" in error
