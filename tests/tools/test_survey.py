"""Stock configs of the installed MMAction2, through the tool that surveys them."""

import pytest
from mmengine.config import Config

from mmaction_multigrid import apply_multigrid

from ..small import load_tool

tool = load_tool('maintain/survey_configs')


def test_a_refused_config():
    name = 'recognition/c3d/c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb.py'
    result = tool.survey(name, memory=4)
    assert 'C3D' in result['refused']
    row = tool.row(name, result)
    assert row.startswith('| c3d/c3d\\_sports1m-pretrained\\_8xb30-16x1x1-45e\\_ucf101-rgb | refused: ')


def test_rows():
    fine = dict(speedup=3.456, norms='36 / 72, 36 frozen', positions='none', lr=1.2e-9, ran=['8 x 112', '8 x 158'],
                failed=[], too_large=[])
    expected = '| x3d/a | accepted | 36 / 72, 36 frozen | none | 1e-09 | 3.46 | 8 x 112, 8 x 158 |'
    assert tool.row('recognition/x3d/a.py', fine) == expected
    bad = dict(fine, failed=['2 x 112: RuntimeError: no'])
    assert 'fails at 2 x 112: RuntimeError: no' in tool.row('recognition/x3d/a.py', bad)
    large = dict(fine, too_large=['16 x 224'])
    assert tool.row('recognition/x3d/a.py', large).endswith('8 x 112, 8 x 158, 16 x 224 (too large to run here) |')


def test_accepted_is_not_walked(monkeypatch):
    walked = tool.walked_configs()
    assert len(walked) > 10 and all((tool.STOCK / name).is_file() for name in walked)
    refused, never = (
        'recognition/c3d/c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb.py',
        'detection/slowonly/slowonly_kinetics400-pretrained-r50_8xb16-4x16x1-20e_ava21-rgb.py')
    monkeypatch.setattr(tool, 'stock_configs', lambda kind: [*walked, refused, never])
    assert tool.never_walked() == [never]
    fine = dict(speedup=3., norms='', positions='', lr=0., ran=[], failed=[], too_large=[])
    assert '| walked |' in tool.row(sorted(walked)[0], fine)
    assert '| accepted |' in tool.row(never, fine)


@pytest.mark.long
@pytest.mark.filterwarnings('ignore')
def test_every_stock_config_resolves_or_is_refused():
    names = tool.stock_configs()
    assert len(names) >= 60
    refused = {}
    for name in names:
        cfg = Config.fromfile(tool.STOCK / name)
        cfg.multigrid = dict()
        try:
            resolved = apply_multigrid(cfg)
        except (TypeError, ValueError) as error:
            refused[name] = str(error)
        else:
            assert resolved.train_cfg.type == 'MultigridTrainLoop'
    assert len(names) - len(refused) >= 67, refused
