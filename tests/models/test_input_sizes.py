"""Name the shapes that a network cannot take."""

import pytest
import torch
from mmaction_multigrid.models.input_sizes import check_sizes
from torch import nn

SIZES = [(frames, crop) for frames in (4, 8, 16) for crop in (32, 45, 64)]
BASE = (16, 64)


class Recognizer(nn.Module):
    """Backbone of one layer, with or without a neck."""

    def __init__(self, backbone, neck=None):
        super().__init__()
        self.backbone, self.neck = backbone, neck


@pytest.mark.parametrize(('backbone', 'neck', 'message'), [
    (nn.Conv3d(3, 2, (6, 1, 1)), None,
     r'4 frames x 32 pixels .*\(RuntimeError: .* takes 8 x 32, 8 x 45'),
    (nn.Conv3d(2, 2, (1, 40, 40)), None, 'takes 4 x 45, 4 x 64, 8 x 45'),
    (nn.Identity(), nn.MaxPool3d((5, 1, 1)), 'takes 8 x 32'),
    (nn.Sequential(nn.Conv3d(
        3, 2, (16, 1, 1))), None, 'takes 16 x 32, 16 x 45, 16 x 64:'),
])
def test_errors_name_the_error_and_working_shapes(backbone, neck, message):
    with pytest.raises(ValueError, match=message):
        check_sizes(Recognizer(backbone, neck), SIZES, BASE)


@pytest.mark.parametrize('backbone', [
    nn.Conv3d(3, 2, (4, 32, 32)),
    nn.Linear(3, 2),
    nn.Sequential(nn.Conv3d(3, 2, 3), nn.BatchNorm3d(2), nn.Dropout(0.5)),
])
def test_accepted_networks_do_not_change(backbone):
    model = Recognizer(backbone).train()
    state = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.get_rng_state()
    check_sizes(model, SIZES, BASE)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(module.training for module in model.modules())
    assert not any(module._forward_hooks for module in model.modules())
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key])
