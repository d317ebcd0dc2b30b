"""Read TensorBoard's file of a run set up as in docs/running.md."""

import pytest
from mmaction_multigrid import apply_multigrid
from mmengine.config import Config
from mmengine.runner import Runner
from tensorboard.backend.event_processing.event_accumulator import \
    EventAccumulator

from ..toy import RecordHook, base_config, new_name
from .pages import DOCS, blocks


def test_scalars_follow_the_stages(tmp_path):
    shown, = blocks((DOCS / 'running.md').read_text(), 'python')
    (tmp_path / 'shown.py').write_text(shown)
    cfg = base_config(tmp_path, eval_freq=1)
    cfg.merge_from_dict(Config.fromfile(tmp_path / 'shown.py').to_dict())
    runner = Runner.from_cfg(apply_multigrid(new_name(cfg)))
    runner.train()
    runner.visualizer.close()
    file, = tmp_path.rglob('vis_data/events.out.tfevents.*')
    events = EventAccumulator(str(file), size_guidance=dict(scalars=0))
    events.Reload()
    seen = RecordHook.records
    for tag, key in (('lr', 'lr'), ('multigrid/batch_size', 'batch'),
                     ('multigrid/num_frames',
                      'frames'), ('multigrid/crop_size', 'crop')):
        assert ([event.value for event in events.Scalars(tag)
                 ] == (pytest.approx([record[key] for record in seen]))), tag
    assert len({record['batch'] for record in seen}) > 3  # there are stages
    sampler = runner.train_dataloader.batch_sampler
    assert ([event.step for event in events.Scalars('acc/top1')
             ] == [stage.end for stage in sampler.stages])  # in epochs
