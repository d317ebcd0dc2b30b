"""Make a small video dataset whose class is how a digit moves.

    python tools/data/moving_digits.py data/moving_digits

writes ``videos/{train,val}/*.mp4`` (real H.264 files) and the Kinetics-style
lists ``train.txt`` and ``val.txt`` (``videos/train/00000.mp4 LABEL``). The two
splits share neither an image of a digit nor a random number. With ``--parts
2`` the class is which of two motions comes first and which second; other
digits (``--distractors``), a camera that shakes (``--shake``) and noise
(``--noise``) make it harder to see.
"""
import argparse
import itertools
import json
import math
import multiprocessing
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

VERSION = 2  # raise it when the same settings give other videos
MANIFEST = 'moving_digits.json'
SPLITS = ('train', 'val')
VAL_SHARE = 0.25  # of the 1797 digit images
PERIOD = 16  # frames: a motion's unit of time
KEYFRAME_INTERVAL = 8  # frames
SIZE_STEP = 32  # pixels: decord 0.6 cannot batch frames of some other widths
DIRECTIONS = ('right', 'right_down', 'down', 'left_down', 'left', 'left_up',
              'up', 'right_up')
CYCLIC = ('circle_cw', 'circle_ccw', 'shake_x', 'shake_y')


def _line(number):
    """Move straight on, along one of eight directions."""
    angle = math.radians(45 * number)
    return lambda u: (math.cos(angle) * u, math.sin(angle) * u, 0, 0)


def _wave(u, function=np.sin):
    return 0.5 * function(2 * np.pi * u)


# Functions of time u, in periods and centred on a random phase, to the pose:
# x and y (in travels, y down), zoom (in octaves) and spin (in radians). A set
# of N classes takes the first N.
MOTIONS = {
    **{name: _line(number)
       for number, name in enumerate(DIRECTIONS)},
    'grow': lambda u: (0, 0, u, 0),
    'shrink': lambda u: (0, 0, -u, 0),
    'spin_cw': lambda u: (0, 0, 0, np.pi * u),
    'spin_ccw': lambda u: (0, 0, 0, -np.pi * u),
    'shake_x': lambda u: (_wave(u), 0, 0, 0),
    'shake_y': lambda u: (0, _wave(u), 0, 0),
    'circle_cw': lambda u: (_wave(u, np.cos), _wave(u), 0, 0),
    'circle_ccw': lambda u: (_wave(u, np.cos), -_wave(u), 0, 0),
}


@dataclass(frozen=True)
class Settings:
    """Settings of a dataset: two equal ones give the same files."""
    num_train: int = 2000
    num_val: int = 200
    size: int = 64  # pixels, both sides
    num_frames: int = 24
    seed: int = 0
    classes: int = 8
    parts: int = 1  # motions of a clip, one after the other
    distractors: int = 0  # smaller digits that move on their own ways
    shake: int = 0  # pixels, that the camera is off at the most, in x and y
    noise: int = 8  # standard deviation of each pixel, of 255

    def __post_init__(self):
        most = math.perm(len(MOTIONS), self.parts)
        if self.classes > most:
            raise ValueError(f'classes = {self.classes}: must be at most '
                             f'{most}, with parts = {self.parts}')
        if self.size % SIZE_STEP:
            raise ValueError(
                f'size = {self.size}: must be a multiple of {SIZE_STEP}')


def classes(settings):
    """List the motions of each class, of as few motions as will do."""
    few = next(
        n for n in itertools.count(settings.parts)
        if math.perm(n, settings.parts) >= settings.classes)
    ways = itertools.permutations(list(MOTIONS)[:few], settings.parts)
    return list(itertools.islice(ways, settings.classes))


def poses(motions, num_frames, rng):
    """Draw the poses of a clip, shape (num_frames, 4).

    Several motions meet where a clip is cut into equal parts, or up to a tenth
    of it before or behind, and each begins where the one before it ends.
    """
    u = rng.uniform(0.8, 1.2) * (np.arange(num_frames) -
                                 (num_frames - 1) / 2) / PERIOD
    paths = [
        np.stack(
            np.broadcast_arrays(
                *MOTIONS[name](u + rng.uniform() if name in CYCLIC else u)),
            -1) for name in motions
    ]
    if len(paths) == 1:
        return paths[0]
    cuts = [
        round(num_frames * (i / len(paths) + rng.uniform(-0.1, 0.1)))
        for i in range(1, len(paths))
    ]
    path = np.cumsum(
        np.concatenate([
            np.diff(path, axis=0, prepend=path[:1])[begin:end]
            for path, begin, end in zip(paths, [0, *cuts], [*cuts, num_frames])
        ]),
        axis=0)
    return path - path.mean(axis=0)


def background(size, num_frames, rng):
    """Draw a coloured texture that drifts: float32 in 0-255."""
    coarse = rng.uniform(30, 140, (8, 8, 3)).astype(np.float32)
    texture = cv2.resize(
        np.tile(coarse, (2, 2, 1)), (2 * size, 2 * size),
        interpolation=cv2.INTER_CUBIC)
    middle = slice(size // 2, -size // 2)  # one period: it wraps seamlessly
    speed = rng.uniform(-1.25, 1.25, 2) * size / 64  # pixels a frame
    start = rng.uniform(0, size, 2)
    shifts = np.rint(start + speed * np.arange(num_frames)[:, None])
    return np.stack([
        np.roll(texture[middle, middle], shift, axis=(0, 1))
        for shift in shifts.astype(int)
    ])


def paint(frames, digit, motions, size, shake, rng):
    """Draw a moving digit onto frames, of so many times the usual size."""
    side = frames.shape[1]
    colour = rng.uniform(150, 255, 3)
    pixel = size * side * rng.uniform(0.3, 0.42) / 8  # edge of its pixels
    travel = side * rng.uniform(0.3, 0.45)  # pixels in one period
    centre = side / 2 + side * rng.uniform(-0.15, 0.15, 2)
    tilt = rng.uniform(-0.4, 0.4)
    padded = np.pad(digit, 1)
    for frame, off, (x, y, zoom, spin) in zip(frames, shake,
                                              poses(motions, len(frames),
                                                    rng)):
        scale, angle = pixel * 2**zoom, tilt + spin
        turn = scale * np.array([[math.cos(angle), -math.sin(angle)],
                                 [math.sin(angle),
                                  math.cos(angle)]])
        shift = (
            centre + off + travel * np.array([x, y]) -
            turn @ np.full(2, (len(padded) - 1) / 2))
        mask = cv2.warpAffine(
            padded,
            np.column_stack([turn, shift]), (side, side),
            flags=cv2.INTER_LINEAR)
        frame += mask[..., None] * (colour - frame)


def render(digits, label, settings, rng):
    """Draw one clip: uint8 (num_frames, size, size, 3), RGB.

    Args:
        digits (np.ndarray): Images to choose from, float32 (N, 8, 8) in 0-1.
        label (int): Index of the class.
        settings (Settings): Settings of the dataset.
        rng (np.random.Generator): Source of random numbers.
    """
    digit = rng.choice(digits)
    frames = background(settings.size, settings.num_frames, rng)
    shake = np.zeros((settings.num_frames, 2), int)
    if settings.shake:
        shake = rng.integers(
            -settings.shake, settings.shake, shake.shape, endpoint=True)
        frames = np.stack([
            np.roll(frame, tuple(off[::-1]), axis=(0, 1))
            for frame, off in zip(frames, shake)
        ])
    for _ in range(settings.distractors):
        other = rng.choice(digits)
        motions = rng.permutation(list(MOTIONS))[:settings.parts]
        paint(frames, other, motions, 0.5, shake, rng)
    paint(frames, digit, classes(settings)[label], 1., shake, rng)
    frames += settings.noise * rng.standard_normal(
        frames.shape, dtype=np.float32)
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
            container.mux(
                stream.encode(
                    av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode())


def split_digits(seed):
    """Deal the images out: float32 (N, 8, 8) in 0-1, by split."""
    images = load_digits().images.astype(np.float32) / 16
    images = images[np.random.default_rng(seed).permutation(len(images))]
    num_val = round(VAL_SHARE * len(images))
    return dict(train=images[num_val:], val=images[:num_val])


def make_clip(job, out_dir, settings, digits):
    """Make one clip of (split, index); its line of the annotation file."""
    split, index = job
    cv2.setNumThreads(0)
    rng = np.random.default_rng([settings.seed, SPLITS.index(split), index])
    label = index % settings.classes
    name = f'videos/{split}/{index:05d}.mp4'
    encode(out_dir / name, render(digits[split], label, settings, rng))
    return f'{name} {label}\n'


def make_dataset(out_dir, settings):
    """Make the dataset unless ``out_dir`` holds it, finished and the same.

    Args:
        out_dir (Path): Folder to write.
        settings (Settings): Settings of the dataset.

    Returns:
        bool: Whether it was made.

    Raises:
        ValueError: The folder holds something else.
    """
    manifest, videos = out_dir / MANIFEST, out_dir / 'videos'
    state = dict(
        version=VERSION,
        **asdict(settings),
        motions=classes(settings),
        finished=True)
    finished = json.dumps(state, indent=1)
    if manifest.exists() and manifest.read_text() == finished:
        return False
    out_dir.mkdir(parents=True, exist_ok=True)
    if any(out_dir.iterdir()) and not manifest.is_file():
        raise ValueError(f'out_dir = {out_dir}: must be new, an empty folder '
                         f'or made by this tool (with {MANIFEST})')
    manifest.write_text('{}')
    shutil.rmtree(videos, ignore_errors=True)
    work = partial(
        make_clip,
        out_dir=out_dir,
        settings=settings,
        digits=split_digits(settings.seed))
    with multiprocessing.get_context('spawn').Pool() as pool:
        for split, count in zip(SPLITS,
                                (settings.num_train, settings.num_val)):
            (videos / split).mkdir(parents=True)
            lines = pool.imap(work, [(split, i) for i in range(count)], 32)
            (out_dir / f'{split}.txt').write_text(''.join(
                track(lines, f'{split} clips', total=count)))
    manifest.write_text(finished)
    return True


def main():
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out_dir', type=Path)
    for key, value in asdict(Settings()).items():
        parser.add_argument(
            f'--{key.replace("_", "-")}',
            type=int,
            default=value,
            help=f'default {value}')
    args = vars(parser.parse_args())
    out_dir = args.pop('out_dir')
    try:
        made = make_dataset(out_dir, Settings(**args))
    except ValueError as error:
        parser.error(str(error))
    print(f'{out_dir}: {"made" if made else "already there"}')


if __name__ == '__main__':
    main()
