"""What TensorBoard gets of a run, by the lines of docs/logging.md."""

import pytest
from mmengine.config import Config
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mmaction_multigrid import MultigridRunner

from ..toy import RecordHook, base_config, new_name
from .pages import DOCS, blocks

TENSORBOARD, WANDB = blocks((DOCS / 'logging.md').read_text(), 'python')


def config_of(text, tmp_path):
    (tmp_path / 'shown.py').write_text(text)
    return Config.fromfile(tmp_path / 'shown.py')


@pytest.fixture
def events(tmp_path):
    """The scalars of a toy run, by name."""
    cfg = base_config(tmp_path, eval_freq=1)
    cfg.merge_from_dict(config_of(TENSORBOARD, tmp_path)._cfg_dict)
    runner = MultigridRunner.from_cfg(new_name(cfg))
    runner.train()
    runner.visualizer.close()
    file, = tmp_path.rglob('events.out.tfevents.*')
    assert file.parent.name == 'vis_data'
    accumulator = EventAccumulator(str(file), size_guidance=dict(scalars=0))
    accumulator.Reload()
    sampler = runner.train_dataloader.batch_sampler
    return {tag: accumulator.Scalars(tag) for tag in accumulator.Tags()['scalars']}, sampler


def test_scalars_follow_the_stages(events):
    scalars, sampler = events
    seen = RecordHook.records
    for tag, key in (('lr', 'lr'), ('multigrid/batch_size', 'batch'), ('multigrid/num_frames', 'frames'),
                     ('multigrid/crop_size', 'crop')):
        assert [event.value for event in scalars[tag]] == pytest.approx([record[key] for record in seen]), tag
        assert [event.step for event in scalars[tag]] == list(range(1, len(seen) + 1)), tag
    assert len({record['batch'] for record in seen}) > 3  # stages there are
    assert len(scalars['loss']) == len(seen)
    assert [event.step for event in scalars['acc/top1']] == [stage.end for stage in sampler.stages]  # in epochs


def test_wandb_is_asked_as_the_page_says(tmp_path):
    """It needs an account: that the arguments are mmengine's is all that can be seen here."""
    from mmengine.visualization import WandbVisBackend
    backends = config_of(WANDB, tmp_path).visualizer.vis_backends
    options, = (dict(backend) for backend in backends if backend.type == 'WandbVisBackend')
    assert options.pop('type')
    assert WandbVisBackend(str(tmp_path), **options)._init_kwargs == dict(project='multigrid')
