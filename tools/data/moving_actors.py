"""Make a small dataset of AVA's form, whose labels are how squares move.

    python tools/data/moving_actors.py data/moving_actors

writes ``frames/train000000/img_00001.jpg`` and, for each split, the
annotations (``train.csv``), excluded key frames (``train_excluded.csv``) and
proposals (``train_proposals.pkl``) in the format of AVA, beside the label map
``labels.pbtxt``. A clip has 40 frames, 20 of them a second, and one key frame
at second 1, in which two or three squares are. A flip changes no label.
"""
import argparse
import math
import pickle
from pathlib import Path

import cv2
import numpy as np

MOTIONS = ('still', 'up', 'down', 'sideways', 'shake')  # labels from 1
WIDTH, HEIGHT, FRAMES = 96, 72, 40
KEY = 22  # AVADataset adds the number of the first frame, 1, twice
PERIOD = 32  # frames of a shake
NOISE = 40  # standard deviation of each pixel, of 255


def offset(motion, rng):
    """Return the way of an actor: frames from the key frame to pixels."""
    speed, phase = rng.uniform(0.45, 0.7), rng.uniform(0, 2 * math.pi)
    x, y = dict(
        up=(0, -1), down=(0, 1),
        sideways=(rng.choice([-1, 1]), 0)).get(motion, (0, 0))
    height = 8 * (motion == 'shake')

    def way(frame):
        angle = phase + 2 * math.pi * frame / PERIOD
        shaken = height * (math.sin(angle) - math.sin(phase))
        return x * speed * frame, y * speed * frame + shaken

    return way


def texture(height, width, low, high, rng):
    """Draw a coloured texture: float32 (height, width, 3)."""
    coarse = rng.uniform(low, high, (5, 5, 3)).astype(np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def place(count, rng):
    """Draw boxes that do not overlap: int (count, 4)."""
    boxes = []
    while len(boxes) < count:
        side = rng.integers(20, 29)
        x, y = rng.integers([WIDTH - side, HEIGHT - side])
        box = x, y, x + side, y + side
        if not any(x < other[2] and other[0] < box[2] and y < other[3]
                   and other[1] < box[3] for other in boxes):
            boxes.append(box)
    return np.array(boxes)


def render(boxes, labels, rng):
    """Draw the frames of a clip: uint8 (FRAMES, HEIGHT, WIDTH, 3)."""
    behind = texture(HEIGHT, WIDTH, 40, 140, rng)
    actors = [(box, texture(box[3] - box[1], box[2] - box[0], 60, 255,
                            rng), offset(MOTIONS[label - 1], rng))
              for box, label in zip(boxes, labels)]
    frames = np.repeat(behind[None], FRAMES, 0)
    for number, frame in enumerate(frames, 1):
        for box, square, way in actors:
            x, y = way(number - KEY)
            cv2.warpAffine(
                square,
                np.array([[1, 0, box[0] + x], [0, 1, box[1] + y]]),
                (WIDTH, HEIGHT),
                dst=frame,
                borderMode=cv2.BORDER_TRANSPARENT)
    frames += NOISE * rng.standard_normal(frames.shape, np.float32)
    return frames.clip(0, 255).astype(np.uint8)


def make_split(out_dir, split, count, seed):
    """Make the clips of a split, and its files."""
    rows, proposals = [], {}
    for index in range(count):
        rng = np.random.default_rng([seed, split == 'val', index])
        # AVAKineticsDataset knows names of AVA by their 11 characters.
        name = split + f'{index}'.zfill(11 - len(split))
        boxes = place(rng.integers(2, 4), rng)
        labels = rng.integers(1, len(MOTIONS) + 1, len(boxes))
        folder = out_dir / 'frames' / name
        folder.mkdir(parents=True, exist_ok=True)
        for i, frame in enumerate(render(boxes, labels, rng), 1):
            cv2.imwrite(str(folder / f'img_{i:05}.jpg'), frame)
        size = np.array([WIDTH, HEIGHT] * 2)
        for actor, (box, label) in enumerate(zip(boxes / size, labels)):
            corners = ','.join(f'{value:.4f}' for value in box)
            rows.append(f'{name},0001,{corners},{label},{actor}\n')
        found = (boxes + rng.normal(0, 1, boxes.shape)) / size
        proposals[f'{name},0001'] = np.column_stack(
            [found.clip(0, 1), np.full(len(boxes), 0.95)])
    (out_dir / f'{split}.csv').write_text(''.join(rows))
    (out_dir / f'{split}_excluded.csv').write_text(f'{split}99999,0001\n')
    with open(out_dir / f'{split}_proposals.pkl', 'wb') as file:
        pickle.dump(proposals, file)


def make(out_dir, num_train=400, num_val=120, seed=0):
    """Make the dataset unless ``out_dir`` holds it.

    Args:
        out_dir (Path): Folder to write.
        num_train (int): Key frames to train on. Defaults to 400.
        num_val (int): Key frames to validate on. Defaults to 120.
        seed (int): Seed of the random numbers. Defaults to 0.

    Returns:
        Path: The folder.
    """
    if not (out_dir / 'labels.pbtxt').exists():
        for split, count in (('train', num_train), ('val', num_val)):
            make_split(out_dir, split, count, seed)
        (out_dir / 'labels.pbtxt').write_text(''.join(
            f'item {{\n  name: "{name}"\n  id: {number}\n}}\n'
            for number, name in enumerate(MOTIONS, 1)))
    return out_dir


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('out_dir', type=Path)
    for key, default in (('num-train', 400), ('num-val', 120), ('seed', 0)):
        parser.add_argument(f'--{key}', type=int, default=default)
    make(**vars(parser.parse_args()))
