"""Survey stock configs of the installed MMAction2."""

import pytest
from mmaction_multigrid import multigrid_schedule
from mmengine.config import Config

from ..small import load_tool

tool = load_tool('maintain/survey_configs')
TSN = ('recognition/tsn/'
       'tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb.py')
POSES = ('skeleton/posec3d/slowonly_kinetics400-pretrained-r50_'
         '8xb16-u48-120e_hmdb51-split1-keypoint.py')
MVIT = ('recognition/mvit/'
        'mvit-small-p244_32xb16-16x4x1-200e_kinetics400-rgb.py')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return tool.make_data(tmp_path_factory.mktemp('survey'))


@pytest.fixture
def survey(data):
    return lambda name, done=None: tool.survey(name, data, 8, {}
                                               if done is None else done)


def sizes(name):
    cfg = Config.fromfile(tool.STOCK / name)
    cfg.multigrid = dict()
    stages = multigrid_schedule(cfg)[0].stages
    return {tuple(shape[1:]) for stage in stages for shape in stage.shapes}


def test_a_2d_network(survey):
    result = survey(TSN)
    assert set(map(tuple, result['sizes'])) == sizes(TSN)
    assert len(result['losses']) == len(sizes(TSN))
    assert tool.cells(TSN, result)[:2] == ['runs', 'segments']


def test_a_network_of_poses(survey):
    done = {}
    result = survey(POSES, done)
    assert set(map(tuple, result['sizes'])) == sizes(POSES)
    assert tool.cells(
        POSES, result) == ['runs', 'frames', '3.85', 'sigma of heatmaps']
    # Another dataset with the same network shares the run.
    other = POSES.replace('hmdb51', 'ucf101')
    assert survey(other, done)['losses'] == result['losses']
    assert len(done) == 1


def test_a_network_whose_config_only_names_its_size(survey):
    result = survey(MVIT)
    assert len(result['losses']) == len(sizes(MVIT)), result['error']


def test_an_error_is_told_with_its_shape(data):
    cfg = Config.fromfile(tool.STOCK / POSES)
    cfg.multigrid = dict()
    cfg.model.cls_head.in_channels = 8
    result = tool.in_process(tool.shorten(cfg, data), 8)
    assert result['sizes'] and not result['losses']
    assert 'shapes cannot be multiplied' in result['error']


def test_a_refused_config(survey):
    name = ('recognition/c3d/'
            'c3d_sports1m-pretrained_8xb30-16x1x1-45e_ucf101-rgb.py')
    assert tool.cells(name, survey(name)) == [
        "refused: model.backbone.type = 'C3D': its first fully connected "
        'layer takes the features of one clip shape', '', '', ''
    ]


def ran(**changes):
    found = dict(
        speedup=3.456,
        kind='frames',
        heatmaps=False,
        left_out=[],
        needs=False,
        sizes=[(8, 112), (16, 224)],
        losses=[1., 2.],
        error='')
    return {**found, **changes}


@pytest.mark.parametrize(('changes', 'row'), [
    ({}, 'runs | frames | 3.46 |  |'),
    (dict(kind='segments', sizes=[(8, 112), (8, 224)
                                  ]), 'runs | none | 3.46 | segments |'),
    (dict(left_out=['Blur']), 'runs without Blur | frames | 3.46 |  |'),
    (dict(needs=True, losses=[]), 'not run: needs mmdet |  | 3.46 |  |'),
    (dict(losses=[1.], error='RuntimeError: no'),
     'fails at 16 x 224: RuntimeError: no | frames | 3.46 |  |'),
    (dict(losses=[1.], error=tool.TOO_LARGE),
     'not run at 16 x 224: too large to run here | frames | 3.46 |  |'),
    (dict(error='A', base_error='B'),
     'fails without multigrid, too: B | frames | 3.46 |  |'),
    (dict(refused='a = 1: must be 2; or not'), 'refused: a = 1: must be 2 |'),
])
def test_rows(changes, row):
    if 'refused' not in changes:
        changes = ran(**changes)
    assert f'| a/b\\_c | {row}' in tool.table({'a/b_c.py': changes})


def test_configs_with_the_same_outcome_share_a_row():
    text = tool.table({
        'a/b.py': ran(),
        'a/c.py': ran(speedup=3.457),
        'a/d.py': ran(speedup=2.),
        'e/f.py': dict(refused='no'),
        'e/g.py': dict(refused='no'),
    })
    assert '\n5 configs: 3 runs, 2 refused.\n' in text
    assert '\n| a/b<br>c | runs | frames | 3.46 |  |\n' in text
    assert '\n| a/d | runs | frames | 2.00 |  |\n' in text
    assert '\n| e/\\* (2 configs) | refused: no |' in text
