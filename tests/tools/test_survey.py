"""Stock configs of the installed MMAction2, through the tool that surveys
them."""

import pytest

from ..small import load_tool

tool = load_tool('maintain/survey_configs')


def test_a_refused_config():
    name = ('recognition/c3d/'
            'c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb.py')
    row = tool.row(name, tool.survey(name, memory=4))
    assert row.startswith('| c3d/c3d\\_sports1m-pretrained\\_8xb30-16x1x1-'
                          '45e\\_ucf101-rgb | refused: model.backbone.type = '
                          "'C3D'")


@pytest.mark.parametrize(('name', 'shapes', 'row'), [
    ('recognition/a.py', {}, '| a | accepted | 3.46 |'),
    (sorted(tool.tested_configs())[0], {}, ' | tested | 3.46 |'),
    ('recognition/a.py', {
        '8 x 158': tool.TOO_LARGE
    }, '| a | accepted | 3.46 |'),
    ('recognition/a.py', {
        '8 x 112': 'RuntimeError: no'
    }, '| a | fails at 8 x 112: RuntimeError: no | 3.46 |'),
])
def test_rows(name, shapes, row):
    shapes = {'8 x 112': '', '8 x 158': '', **shapes}
    found = tool.row(name, dict(speedup=3.456, shapes=shapes))
    assert found.endswith(row)


def test_a_small_network_runs_at_a_shape():
    config = dict(
        type='Recognizer3D',
        backbone=dict(
            type='ResNet3d', depth=18, pretrained=None, base_channels=4),
        cls_head=dict(type='I3DHead', in_channels=32, num_classes=2))
    assert tool.run_shape(repr(config), (4, 16), 4) == ''
