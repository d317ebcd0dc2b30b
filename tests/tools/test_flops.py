"""What a batch computes, counted."""

from torch import nn

from mmaction_multigrid.schedule import Shape

from ..conftest import ROOT
from ..small import load_tool, run

CONFIG = ROOT / 'configs/recognition/timesformer/timesformer-tiny-multigrid_1xb8-16x1x1-15e_moving-digits16-rgb.py'


def test_a_convolution_by_hand():
    """Two operations, of three channels, five times, at 2 x 4 x 4 positions."""
    count = load_tool('benchmark/flops').count_flops
    assert count(nn.Conv3d(3, 5, 1, device='meta'), Shape(9, 2, 4)) == 2 * 3 * 5 * 2 * 4 * 4


def test_the_command():
    out = run(ROOT / 'tools/benchmark/flops.py', CONFIG)
    assert ' 4 x 4 x 24' in out
    row, = (line for line in out.splitlines() if '1 x 16 x 48' in line and ' 11 x' not in line)
    assert '1.00' in row
