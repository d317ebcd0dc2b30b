"""Make a small video data set whose class is how a handwritten digit moves, not which digit it is.

    python tools/data/moving_digits.py data/moving_digits

writes ``videos/{train,val}/*.mp4`` (real H.264 files) and the Kinetics-style lists ``train.txt`` and ``val.txt``
(``videos/train/00000.mp4 LABEL``). The two splits share neither a digit image nor a random number. With ``--parts 2`` the
class is which of two motions comes first and which second; other digits (``--distractors``), a camera that shakes
(``--shake``) and noise (``--noise``) make it harder to see.
"""
import argparse
import itertools
import json
import math
import multiprocessing
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

try:
    import av
    from sklearn.datasets import load_digits
except ImportError as error:
    sys.exit(f'{error.name} is needed and cannot be imported: '
             "pip install 'mmaction_multigrid[tutorial]'")

VERSION = 2  # of what is drawn: raise it when the same settings give other videos
MANIFEST = 'moving_digits.json'
SPLITS = ('train', 'val')
VAL_SHARE = 0.25  # of the 1797 digit images
PERIOD = 16  # frames: a motion's unit of time
KEYFRAME_INTERVAL = 8  # frames
SIZE_STEP = 32  # pixels: decord 0.6 cannot batch the frames of some other widths, as 24, 48 and 72


def _pose(u, x=0.0, y=0.0, zoom=0.0, spin=0.0):
    """Stack poses of shape (len(u), 4): x, y (in travels, y down), zoom (in octaves) and spin (in radians)."""
    return np.stack([np.broadcast_to(value, u.shape) for value in (x, y, zoom, spin)], axis=-1)


def _line(degrees):
    """Move straight on, along an angle counted clockwise from the right."""
    angle = math.radians(degrees)
    return lambda u: _pose(u, x=math.cos(angle) * u, y=math.sin(angle) * u)


def _circle(sign):
    """Go round, clockwise on the screen for sign 1."""
    return lambda u: _pose(u, x=0.5 * np.cos(2 * np.pi * u), y=sign * 0.5 * np.sin(2 * np.pi * u))


# Name -> function of time u, shape (T,), in periods and centred on a random phase, to the poses, shape (T, 4).
# A set of N classes takes the first N.
MOTIONS = {
    'right': _line(0),
    'right_down': _line(45),
    'down': _line(90),
    'left_down': _line(135),
    'left': _line(180),
    'left_up': _line(225),
    'up': _line(270),
    'right_up': _line(315),
    'grow': lambda u: _pose(u, zoom=u),
    'shrink': lambda u: _pose(u, zoom=-u),
    'spin_cw': lambda u: _pose(u, spin=np.pi * u),
    'spin_ccw': lambda u: _pose(u, spin=-np.pi * u),
    'shake_x': lambda u: _pose(u, x=0.5 * np.sin(2 * np.pi * u)),
    'shake_y': lambda u: _pose(u, y=0.5 * np.sin(2 * np.pi * u)),
    'circle_cw': _circle(1),
    'circle_ccw': _circle(-1),
}
CYCLIC = ('circle_cw', 'circle_ccw', 'shake_x', 'shake_y')


@dataclass(frozen=True)
class Settings:
    """What a data set is made from: two equal settings give the same files."""
    num_train: int = 2000
    num_val: int = 200
    size: int = 64  # pixels, both sides
    num_frames: int = 24
    seed: int = 0
    classes: int = 8
    parts: int = 1  # motions of a clip, one after the other, no two the same
    distractors: int = 0  # smaller digits that move on their own ways
    shake: int = 0  # pixels, that the camera is off at the most in a frame, in x and y
    noise: int = 8  # standard deviation of each pixel, of 255

    def __post_init__(self):
        limits = dict(num_train=(1, None), num_val=(1, None), size=(32, 512), num_frames=(2, 1000), seed=(0, None),
                      parts=(1, 4), distractors=(0, 8), shake=(0, 16), noise=(0, 128))
        limits['classes'] = (2, math.perm(len(MOTIONS), self.parts) if type(self.parts) is int else 2)
        for key, (low, high) in limits.items():
            value = getattr(self, key)
            if type(value) is not int or value < low or (high is not None and value > high):
                allowed = f'of at least {low}' if high is None else f'from {low} to {high}'
                raise ValueError(f'{key} = {value!r}: must be an integer {allowed}')
        if self.size % SIZE_STEP:
            raise ValueError(f'size = {self.size}: must be a multiple of {SIZE_STEP}')


def classes(settings):
    """The motions of each class, in order: of a set of N the first N ways to have them of as few motions as will do."""
    few = next(n for n in itertools.count(settings.parts) if math.perm(n, settings.parts) >= settings.classes)
    return list(itertools.islice(itertools.permutations(list(MOTIONS)[:few], settings.parts), settings.classes))


def poses(motions, num_frames, rng):
    """Draw the poses, shape (num_frames, 4), of one clip: x, y in travels, zoom in octaves, spin in radians.

    Several motions meet where a clip is cut into equal parts, or up to a tenth of it before or behind, and each begins
    where the one before it ends.
    """
    u = rng.uniform(0.8, 1.2) * (np.arange(num_frames) - (num_frames - 1) / 2) / PERIOD
    paths = [MOTIONS[name](u + rng.uniform() if name in CYCLIC else u) for name in motions]
    if len(paths) == 1:
        return paths[0]
    cuts = [round(num_frames * (i / len(paths) + rng.uniform(-0.1, 0.1))) for i in range(1, len(paths))]
    steps = np.concatenate([np.diff(path, axis=0, prepend=path[:1])[begin:end]
                            for path, begin, end in zip(paths, [0, *cuts], [*cuts, num_frames])])
    path = np.cumsum(steps, axis=0)
    return path - path.mean(axis=0)


def background(size, num_frames, rng):
    """Draw a coloured texture that drifts on its own way: float32 (num_frames, size, size, 3) in 0-255."""
    coarse = rng.uniform(30, 140, (8, 8, 3)).astype(np.float32)
    texture = cv2.resize(np.tile(coarse, (2, 2, 1)), (2 * size, 2 * size), interpolation=cv2.INTER_CUBIC)
    texture = texture[size // 2:-size // 2, size // 2:-size // 2]  # one period, so that it wraps without a seam
    speed, start = rng.uniform(-1.25, 1.25, 2) * size / 64, rng.uniform(0, size, 2)  # pixels a frame, pixels
    shifts = np.rint(start + speed * np.arange(num_frames)[:, None]).astype(int)
    return np.stack([np.roll(texture, shift, axis=(0, 1)) for shift in shifts])


def paint(frames, digit, motions, size, shake, rng):
    """Draw a digit onto float32 frames, of so many times the usual size, that moves; the camera is off by ``shake``."""
    side = frames.shape[1]
    colour = rng.uniform(150, 255, 3)
    pixel = size * side * rng.uniform(0.3, 0.42) / 8  # edge of one pixel of the digit
    travel = side * rng.uniform(0.3, 0.45)  # pixels in one period
    centre = side / 2 + side * rng.uniform(-0.15, 0.15, 2)
    tilt = rng.uniform(-0.4, 0.4)
    padded = np.pad(digit, 1)
    for frame, off, (x, y, zoom, spin) in zip(frames, shake, poses(motions, len(frames), rng)):
        scale, angle = pixel * 2**zoom, tilt + spin
        turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        shift = centre + off + travel * np.array([x, y]) - turn @ np.full(2, (len(padded) - 1) / 2)
        mask = cv2.warpAffine(padded, np.column_stack([turn, shift]), (side, side), flags=cv2.INTER_LINEAR)
        frame += mask[..., None] * (colour - frame)


def render(digits, label, settings, rng):
    """Draw one clip: uint8 (num_frames, size, size, 3), RGB.

    Args:
        digits: float32 (N, 8, 8), the images to choose from, in 0-1.
        label: index of the class.
        settings: Settings.
        rng: numpy Generator.
    """
    digit = rng.choice(digits)
    frames = background(settings.size, settings.num_frames, rng)
    shake = np.zeros((settings.num_frames, 2), int)
    if settings.shake:
        shake = rng.integers(-settings.shake, settings.shake, shake.shape, endpoint=True)
        frames = np.stack([np.roll(frame, tuple(off[::-1]), axis=(0, 1)) for frame, off in zip(frames, shake)])
    names = list(MOTIONS)
    for _ in range(settings.distractors):
        paint(frames, rng.choice(digits), rng.permutation(names)[:settings.parts], 0.5, shake, rng)
    paint(frames, digit, classes(settings)[label], 1., shake, rng)
    frames += settings.noise * rng.standard_normal(frames.shape, dtype=np.float32)
    return frames.clip(0, 255).astype(np.uint8)


def encode(path, frames, fps=25):
    """Write uint8 RGB frames, shape (T, H, W, 3), to an H.264 file."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=fps)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = 'yuv420p'
        stream.thread_count = 1  # more make the bytes depend on the machine
        stream.gop_size = KEYFRAME_INTERVAL
        stream.options = dict(preset='ultrafast', tune='fastdecode', crf='24')
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())


def split_digits(seed):
    """Deal the digit images out: dict of split -> float32 (N, 8, 8) in 0-1."""
    images = load_digits().images.astype(np.float32) / 16
    images = images[np.random.default_rng(seed).permutation(len(images))]
    num_val = round(VAL_SHARE * len(images))
    return dict(train=images[num_val:], val=images[:num_val])


def make_clip(job, out_dir, settings, digits):
    """Make one clip of (split, index) and return its line of the annotation file."""
    split, index = job
    cv2.setNumThreads(0)
    rng = np.random.default_rng([settings.seed, SPLITS.index(split), index])
    label = index % settings.classes
    name = f'videos/{split}/{index:05d}.mp4'
    encode(out_dir / name, render(digits[split], label, settings, rng))
    return f'{name} {label}'


def clear(out_dir):
    """Remove a former data set, whole or half made, and nothing that is not one."""
    if not out_dir.exists() or (out_dir.is_dir() and not any(out_dir.iterdir())):
        return
    if not (out_dir / MANIFEST).is_file():
        raise ValueError(f'out_dir = {out_dir}: must be new, an empty folder or made by this tool (with {MANIFEST})')
    shutil.rmtree(out_dir / 'videos', ignore_errors=True)
    for split in SPLITS:
        (out_dir / f'{split}.txt').unlink(missing_ok=True)


def make_dataset(out_dir, settings, processes=None):
    """Make the data set unless ``out_dir`` already holds it, finished and of the same settings.

    Args:
        out_dir: folder to write.
        settings: Settings.
        processes: number of worker processes, by default one for each CPU.

    Returns:
        bool: whether it was made.
    """
    out_dir = Path(out_dir)
    manifest = out_dir / MANIFEST
    state = dict(version=VERSION, **asdict(settings), motions=list(map(list, classes(settings))))
    finished = json.dumps(dict(state, finished=True), indent=1)
    if manifest.exists() and manifest.read_text() == finished:
        return False
    clear(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps(dict(state, finished=False), indent=1))
    work = partial(make_clip, out_dir=out_dir, settings=settings, digits=split_digits(settings.seed))
    with multiprocessing.get_context('spawn').Pool(processes or os.cpu_count()) as pool:
        for split, num_clips in zip(SPLITS, (settings.num_train, settings.num_val)):
            (out_dir / 'videos' / split).mkdir(parents=True)
            jobs = [(split, index) for index in range(num_clips)]
            lines = track(pool.imap(work, jobs, chunksize=32), f'{split} clips', total=num_clips)
            (out_dir / f'{split}.txt').write_text(''.join(f'{line}\n' for line in lines))
    manifest.write_text(finished)
    return True


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out_dir', type=Path)
    for key, value in asdict(Settings()).items():
        parser.add_argument(f'--{key.replace("_", "-")}', type=int, default=value, help=f'default {value}')
    args = vars(parser.parse_args())
    out_dir = args.pop('out_dir')
    try:
        made = make_dataset(out_dir, Settings(**args))
    except ValueError as error:
        parser.error(str(error))
    print(f'{out_dir}: {"made" if made else "already there"}')


if __name__ == '__main__':
    main()
