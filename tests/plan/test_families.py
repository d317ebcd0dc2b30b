"""The command check on stock configs of every family, made small."""

import pytest
from mmengine.config import Config

from mmaction_multigrid.__main__ import main
from mmaction_multigrid.plan import probe

pytestmark = [pytest.mark.filterwarnings(f'ignore:{text}')
              for text in ('torch.meshgrid', 'torch.utils.checkpoint')]
HEAD = """
_base_ = ['mmaction::{base}.py']
custom_imports = dict(imports=['mmaction_multigrid'])
runner_type = 'MultigridRunner'
multigrid = dict(short_cycle=False, long_cycle_factors=[(.5, .5), (1., 1.)])
train_dataloader = {loader!r}
"""
RESNET = 'dict(depth=18, base_channels=8)'
# Base config, frames (None: as they are), backbone, further keys of the model.
FAMILIES = dict(
    slowfast=('recognition/slowfast/slowfast_r50_8xb8-8x8x1-256e_kinetics400-'
              'rgb', 16, 'dict(slow_pathway=dict(depth=18, base_channels=16),'
              'fast_pathway=dict(depth=18, base_channels=2))',
              'cls_head=dict(in_channels=144)'),
    slowonly=('recognition/slowonly/slowonly_r50_8xb16-4x16x1-256e_'
              'kinetics400-rgb', 4, RESNET, 'cls_head=dict(in_channels=64)'),
    flow=('recognition/slowonly/slowonly_r50_8xb16-16x4x1-256e_kinetics400-'
          'flow', 4, RESNET, 'cls_head=dict(in_channels=64)'),
    i3d=('recognition/i3d/i3d_imagenet-pretrained-r50-nl-dot-product_8xb8-'
         '32x2x1-100e_kinetics400-rgb', 32, 'dict(base_channels=8)',
         'cls_head=dict(in_channels=256)'),
    r2plus1d=('recognition/r2plus1d/r2plus1d_r34_8xb8-8x8x1-180e_kinetics400-'
              'rgb', 8, RESNET, 'cls_head=dict(in_channels=64)'),
    csn=('recognition/csn/ircsn_ig65m-pretrained-r50-bnfrozen_8xb12-32x2x1-'
         '58e_kinetics400-rgb', 8, 'dict(base_channels=8)',
         'cls_head=dict(in_channels=256)'),
    c2d=('recognition/c2d/c2d_r50-in1k-pre_8xb32-8x8x1-100e_kinetics400-rgb',
         8, 'dict(depth=18)', 'cls_head=dict(in_channels=512)'),
    mvit=('recognition/mvit/mvit-small-p244_32xb16-16x4x1-200e_kinetics400-'
          'rgb', 8, 'dict(arch=dict(_delete_=True, embed_dims=8, num_layers=4,'
          'num_heads=1, downscale_indices=[1, 2, 3]))',
          'cls_head=dict(in_channels=64)'),
    swin=('recognition/swin/swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_'
          'kinetics400-rgb', 8, 'dict(arch=dict(_delete_=True, embed_dims=8, '
          'depths=[2, 2, 2, 2], num_heads=[1, 2, 4, 8]))',
          'cls_head=dict(in_channels=64)'),
    uniformerv2=('recognition/uniformerv2/uniformerv2-base-p16-res224_clip_'
                 '8xb32-u8_kinetics400-rgb', 8, 'dict(input_resolution=64, '
                 'width=16, layers=2, heads=2, return_list=[0, 1], '
                 'n_layers=2, n_dim=16, n_head=2, mlp_dropout=[.5, .5])',
                 'cls_head=dict(in_channels=16)'),
    timesformer=('recognition/timesformer/timesformer_divST_8xb8-8x32x1-15e_'
                 'kinetics400-rgb', 8, 'dict(img_size=64, embed_dims=16, '
                 'num_heads=2, num_transformer_layers=2)',
                 'cls_head=dict(in_channels=16)'),
    posec3d=('skeleton/posec3d/slowonly_r50_8xb16-u48-240e_gym-keypoint', 16,
             'dict(base_channels=8)', 'cls_head=dict(in_channels=128)'),
    tsn=('recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_'
         'kinetics400-rgb', None, 'dict(depth=18)',
         'cls_head=dict(in_channels=512)'),
    tsm=('recognition/tsm/tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_'
         'kinetics400-rgb', None, 'dict(depth=18)',
         'cls_head=dict(in_channels=512)'),
    tpn=('recognition/tpn/tpn-slowonly_r50_8xb8-8x8x1-150e_kinetics400-rgb',
         8, 'dict(base_channels=2)', 'cls_head=dict(in_channels=2048), neck='
         'dict(in_channels=(32, 64), out_channels=32, spatial_modulation_cfg='
         'dict(in_channels=(32, 64), out_channels=64), level_fusion_cfg=dict('
         'in_channels=(32, 32), mid_channels=(32, 32), out_channels=64))'),
)
CROP = 64


def narrow(step, frames):
    """A transform of a stock pipeline for fewer frames and pixels."""
    step = {key: value for key, value in step.items() if key != '_scope_'}
    if 'clip_len' in step and frames:
        step['clip_len'] = frames
    if step['type'] == 'Resize':
        keep = step.get('keep_ratio', True)
        step['scale'] = (-1, CROP + 8) if keep else (CROP, CROP)
    for key in ('size', 'input_size'):
        if key in step:
            step[key] = CROP
    return step


def write(folder, base, frames, backbone='', rest=''):
    """Write a config that inherits from a stock one and makes it small."""
    path, _ = Config._get_cfg_path(f'mmaction::{base}.py', '')
    dataset, around = Config.fromfile(path).train_dataloader.dataset, 0
    while 'dataset' in dataset:
        dataset, around = dataset.dataset, around + 1
    loader = dict(pipeline=[narrow(step, frames) for step in dataset.pipeline])
    for _ in range(around):
        loader = dict(dataset=loader)
    text = HEAD.format(base=base, loader=dict(batch_size=2, dataset=loader))
    if backbone:
        text += f'model = dict(backbone={backbone}, {rest})\n'
    (folder / 'config.py').write_text(text)
    return str(folder / 'config.py')


@pytest.mark.parametrize('family', FAMILIES)
def test_every_shape_of_a_stock_config_is_measured(family, tmp_path, capsys,
                                                   monkeypatch):
    """Its optimizer comes with ``_scope_``, its clips in a form of its own."""
    monkeypatch.setattr(probe, 'ENOUGH_SECONDS', 0)
    config = write(tmp_path, *FAMILIES[family])
    assert main(['check', config, '--clips', '64', '--device', 'cpu']) == 0
    out, err = capsys.readouterr()
    assert 'fails: ' not in out and 'failed' not in out
    assert 'speed-up: ' in out and 'updates' in out
    lines = [line for line in err.splitlines() if line.startswith('step ')]
    last = lines[-1].split(':')[0].split()
    assert len(lines) >= 3 and all(line.endswith(' s') for line in lines)
    assert last[1] == last[3]  # of so many


def test_a_detector_is_refused_in_a_line(tmp_path, capsys):
    config = write(tmp_path, 'detection/slowfast/slowfast_kinetics400-'
                   'pretrained-r50_8xb8-8x8x1-20e_ava21-rgb', None)
    assert main(['check', config, '--clips', '64']) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "check: model.type = 'FastRCNN': needs mmdet" in error
