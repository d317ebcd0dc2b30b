"""Stock configs of the installed MMAction2, through the tool that surveys
them."""

import pytest

from ..small import load_tool

tool = load_tool('maintain/survey_configs')
FINE = dict(
    speedup=3.456,
    norms='36 / 72, 36 frozen',
    shapes={
        '8 x 112': '',
        '8 x 158': ''
    })


def test_a_refused_config():
    name = ('recognition/c3d/'
            'c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb.py')
    row = tool.row(name, tool.survey(name, memory=4))
    assert row.startswith('| c3d/c3d\\_sports1m-pretrained\\_8xb30-16x1x1-'
                          '45e\\_ucf101-rgb | refused: model.backbone.type = '
                          "'C3D'")


@pytest.mark.parametrize(('name', 'shapes', 'outcome', 'ran'), [
    ('recognition/x3d/a.py', {}, 'accepted', '8 x 112, 8 x 158'),
    (sorted(tool.walked_configs())[0], {}, 'walked', '8 x 112, 8 x 158'),
    ('recognition/x3d/a.py', {
        '8 x 158': tool.TOO_LARGE
    }, 'accepted', '8 x 112, 8 x 158 (too large to run here)'),
    ('recognition/x3d/a.py', {
        '8 x 112': 'RuntimeError: no'
    }, 'fails at 8 x 112: RuntimeError: no', '8 x 158'),
])
def test_rows(name, shapes, outcome, ran):
    row = tool.row(name, dict(FINE, shapes={**FINE['shapes'], **shapes}))
    assert row.split(
        ' | ', 1)[1] == (f'{outcome} | 36 / 72, 36 frozen | 3.46 | {ran} |')


def test_a_small_network_runs_at_a_shape():
    config = dict(
        type='Recognizer3D',
        backbone=dict(
            type='ResNet3d', depth=18, pretrained=None, base_channels=4),
        cls_head=dict(type='I3DHead', in_channels=32, num_classes=2))
    assert tool.run_shape(repr(config), (4, 16), 4) == ''
