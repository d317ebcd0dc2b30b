"""Look for painted marks under the boxes of transformed clips."""

import pickle

import cv2
import numpy as np
import pytest
from mmaction_multigrid import apply_multigrid
from mmaction_multigrid.core.dataset import seeded
from mmaction_multigrid.frame_store.build import build
from mmaction_multigrid.frame_store.sizes import short_edges_of
from mmaction_multigrid.frame_store.sources import sources_of
from mmengine.config import Config

from mmaction.registry import DATASETS
from ..small import STOCK_TOOLS
from .configs import AVA

WIDTH, HEIGHT = 360, 270
# Two boxes of the ground truth and two proposals, each with its color.
BOXES = np.array([[12, 20, 110, 120], [250, 160, 352, 262], [130, 6, 240, 140],
                  [24, 150, 200, 250]])
COLORS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]])


@pytest.fixture
def marked(tmp_path):
    """Paint the boxes into four frames of one second each."""
    frame = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    for (left, top, right, bottom), color in zip(BOXES, COLORS):
        frame[top:bottom, left:right] = color[::-1]
    (tmp_path / 'clip').mkdir()
    for i in range(1, 5):
        cv2.imwrite(str(tmp_path / 'clip' / f'img_{i:05}.png'), frame)
    relative = BOXES / [WIDTH, HEIGHT, WIDTH, HEIGHT]
    rows = [','.join(map(str, box)) for box in relative[:2]]
    (tmp_path / 'train.csv').write_text(''.join(f'clip,0002,{row},1,{i}\n'
                                                for i, row in enumerate(rows)))
    with open(tmp_path / 'proposals.pkl', 'wb') as file:
        pickle.dump({'clip,0002': relative[2:]}, file)
    stock = STOCK_TOOLS.parent / 'configs' / 'detection'
    cfg = Config.fromfile(stock / f'{AVA}.py')
    cfg.multigrid = dict()
    cfg.train_dataloader.dataset.update(
        ann_file=str(tmp_path / 'train.csv'),
        proposal_file=str(tmp_path / 'proposals.pkl'),
        exclude_file=None,
        data_prefix=dict(img=str(tmp_path)),
        filename_tmpl='img_{:05}.png',
        timestamp_start=0,
        timestamp_end=4,
        fps=1)
    return cfg


@pytest.mark.parametrize(('flip', 'stored'), [(0, False), (1, False),
                                              (1, True)])
def test_marks_are_under_their_boxes(marked, tmp_path, flip, stored):
    if stored:
        store = tmp_path / 'store'
        build(sources_of(marked), store, sorted(short_edges_of(marked, True)))
        marked.multigrid = dict(grid_store=str(store), grid_store_full=True)
    dataset = marked.train_dataloader.dataset
    next(step for step in dataset.pipeline
         if step.type == 'Flip').flip_ratio = flip
    loader = apply_multigrid(marked).train_dataloader
    dataset, lost, cut = DATASETS.build(loader.dataset), 0, 0
    shapes = {
        tuple(shape)
        for stage in loader.batch_sampler.stages for shape in stage['shapes']
    }
    assert {shape[2] for shape in shapes} == {128, 181, 256}
    for shape in shapes:
        for seed in range(4):
            with seeded(seed):
                clip = dataset[0, shape]
            image = clip['inputs'][:, shape[1] // 2].int().numpy()
            assert image.shape == (3, shape[2], shape[2])
            sample = clip['data_samples']
            found = np.concatenate(
                [sample.gt_instances.bboxes, sample.proposals.bboxes])
            for color, box in zip(COLORS, found):
                mark = np.abs(image - color[:, None, None]).max(0) < 100
                y, x = np.nonzero(mark)
                # A box outside of the crop lies flat on its border.
                if len(x) < shape[2] / 16:
                    lost += 1
                    assert (box[2:] - box[:2]).min() < 2
                    continue
                seen = x.min(), y.min(), x.max() + 1, y.max() + 1
                cut += min(seen) == 0 or max(seen) == shape[2]
                # The stock crop and flip end boxes at the last pixel, not
                # behind it.
                np.testing.assert_allclose(box, seen, atol=2)
    assert cut > len(shapes) and lost < cut
