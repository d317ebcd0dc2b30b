"""Write the config into checkpoints without a layout."""

import mmengine
import pytest
import torch
from mmaction_multigrid import apply_multigrid
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.utils import digit_version

from ..toy import base_config, new_name


@pytest.mark.skipif(
    digit_version(mmengine.__version__) < digit_version('0.10'),
    reason='older mmengine always lays it out')
def test_the_config_in_checkpoints_is_not_laid_out(tmp_path, monkeypatch):
    cfg = base_config(tmp_path, max_epochs=1, milestones=())
    runner = Runner.from_cfg(new_name(apply_multigrid(cfg)))
    laid_out = []
    monkeypatch.setattr('mmengine.config.config.FormatCode',
                        (lambda text, **_: (laid_out.append(text) or text, 1)))
    runner.train()
    assert len(laid_out) == 1  # for the log, by mmengine
    path = (tmp_path / 'last_checkpoint').read_text()
    text = torch.load(path, weights_only=False)['meta']['cfg']
    assert Config.fromstring(text, '.py').to_dict() == runner.cfg.to_dict()
