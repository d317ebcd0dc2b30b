"""Cut a list of clips of Kinetics' kind out of any videos, to measure data loading on.

    python tools/data/cut_clips.py OUT VIDEO [VIDEO ...] [--count 120] [--seconds 10]

Clips have a short side of 256 pixels, in turn 340 and 454 wide, and x264's usual long GOPs (a keyframe every 250 frames
at the least), as data sets come from the web. A video shorter than a clip runs forth and back. Writes OUT/list.txt too.
"""

import argparse
from pathlib import Path
from typing import Iterator, List

import av
import numpy as np
from rich.progress import track

SIZES = ((340, 256), (454, 256))


def bounce(start: int, count: int, length: int) -> List[int]:
    """``count`` positions from ``start`` on in a video of ``length`` frames, turning round at both ends."""
    period = max(1, 2 * (length - 1))
    return [min(i % period, period - i % period) for i in range(start, start + count)]


def read(path: Path, size: tuple) -> List[np.ndarray]:
    """The frames of a video as arrays of YUV planes, scaled."""
    with av.open(str(path)) as container:
        return [frame.reformat(*size, 'yuv420p').to_ndarray() for frame in container.decode(video=0)]


def write(path: Path, frames: Iterator[np.ndarray], size: tuple) -> None:
    """Encode frames as x264 does by default."""
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = *size, 'yuv420p', 250
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='yuv420p')))
        container.mux(stream.encode())


def main() -> None:
    """Cut the clips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', type=Path, help='folder to write clips and list.txt to')
    parser.add_argument('videos', type=Path, nargs='+', help='videos to cut from')
    parser.add_argument('--count', type=int, default=120, help='clips; default: 120')
    parser.add_argument('--seconds', type=float, default=10, help='length of a clip at 30 frames a second; default: 10')
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    rng, length, lines = np.random.default_rng(0), round(args.seconds * 30), []
    sources = [(path, size) for path in args.videos for size in SIZES]
    for i, (path, size) in enumerate(track(sources, 'videos')):
        frames = read(path, size)
        for number in range(i, args.count, len(sources)):
            name = f'clip_{number:04d}.mp4'
            where = bounce(int(rng.integers(len(frames))), length, len(frames))
            write(args.out / name, (frames[j] for j in where), size)
            lines.append(f'{name} {i // len(SIZES)}\n')
    (args.out / 'list.txt').write_text(''.join(sorted(lines)))


if __name__ == '__main__':
    main()
