"""Make videos, frames and poses of two classes."""

import pickle

import cv2
import numpy as np

TRAIN, VAL, FRAMES = 32, 4, 36
WIDTH, HEIGHT, SIDE = 96, 72, 14
JOINTS = 17


def moving_square(label, seed):
    """Make frames (T, H, W, 3), uint8, of a square that moves."""
    rng = np.random.RandomState(seed)
    x, y = rng.randint(0, WIDTH - SIDE), rng.randint(0, HEIGHT - SIDE)
    frames = np.repeat(
        rng.randint(0, 80, (1, HEIGHT, WIDTH, 3)).astype(np.uint8), FRAMES, 0)
    for i, frame in enumerate(frames):
        left = (x + i * (label == 0)) % (WIDTH - SIDE)
        top = (y + i * (label == 1)) % (HEIGHT - SIDE)
        frame[top:top + SIDE, left:left + SIDE] = 255, 200, 40
    return frames


def write_video(path, frames):
    """Write frames as a video of 25 frames a second."""
    size = frames[0].shape[1::-1]
    out = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 25, size)
    for frame in frames:
        out.write(frame)
    out.release()


def pose(label, seed, split_name):
    """Make one annotation of MMAction2's ``PoseDataset``."""
    rng = np.random.RandomState(seed)
    points = rng.uniform(10, 50, (1, 1, JOINTS, 2)).repeat(FRAMES, 1)
    points[..., label] += np.arange(FRAMES)[None, :, None]
    return dict(
        frame_dir=split_name,
        label=label,
        img_shape=(HEIGHT, WIDTH),
        original_shape=(HEIGHT, WIDTH),
        total_frames=FRAMES,
        keypoint=points.astype(np.float16),
        keypoint_score=np.ones((1, FRAMES, JOINTS), np.float16))


def make(folder):
    """Write videos, frames and poses with their annotation lists."""
    poses = dict(split=dict(train=[], val=[]), annotations=[])
    for split, count, first in (('train', TRAIN, 0), ('val', VAL, TRAIN)):
        videos, pictures = [], []
        for i in range(count):
            name, label = f'{split}{i:02d}', i % 2
            frames = moving_square(label, first + i)
            write_video(folder / f'{name}.mp4', frames)
            videos.append(f'{name}.mp4 {label}\n')
            pictures_of = folder / 'frames' / name
            pictures_of.mkdir(parents=True)
            for k, frame in enumerate(frames, 1):
                cv2.imwrite(str(pictures_of / f'img_{k:05}.jpg'), frame)
            pictures.append(f'{name} {FRAMES} {label}\n')
            poses['split'][split].append(name)
            poses['annotations'].append(pose(label, first + i, name))
        (folder / f'{split}.txt').write_text(''.join(videos))
        (folder / f'frames_{split}.txt').write_text(''.join(pictures))
    with open(folder / 'poses.pkl', 'wb') as file:
        pickle.dump(poses, file)
    return folder
