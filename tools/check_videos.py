"""Open every video of a list in a process of its own, before training meets those that kill their reader.

    python tools/check_videos.py LIST --root FOLDER [--output CLEAN_LIST] [--timeout SECONDS]

Training replaces a file that raises an error, and one that makes decord segfault at the cost of a new start of its
workers; it ends where more than a twentieth fails, and validation does at the first. Here a segfault ends a child that is
started anew. LIST is an annotation file of ``VideoDataset``: one file a line, first field its path below FOLDER. Prints a
line per bad file, and ends with 1 if there is one. CLEAN_LIST is LIST without them, to train on.
"""

import argparse
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Iterable, Iterator, Optional, Tuple

from rich.progress import track

READER = """
import io, sys
import decord, numpy as np
for line in sys.stdin:
    try:
        with open(line[:-1], 'rb') as file:
            video = decord.VideoReader(io.BytesIO(file.read()), num_threads=1)
        wanted = np.linspace(0, len(video) - 1, min(len(video), 8)).astype(int)
        frames = video.get_batch(wanted).asnumpy()
        if len(frames) == 0 or frames.shape[3:] != (3, ):
            raise ValueError('no frames')
        answer = 'fine'
    except Exception as error:
        answer = f'{type(error).__name__}: {str(error).strip() or "no message"}'.splitlines()[0]
    print(answer, flush=True)
"""


class Reader:
    """A child process that opens videos as the data workers do, started anew when one ends it.

    Args:
        timeout (float): Seconds that one video may take.
    """

    def __init__(self, timeout: float = 60.) -> None:
        self.timeout = timeout
        self._child: Optional[subprocess.Popen] = None

    def read(self, path: str) -> str:
        """What became of a video: ``fine``, an error, ``hang``, or the signal that ended the process."""
        if '\n' in path:
            return 'ValueError: a line break in the name'
        if self._child is None:
            self._child = subprocess.Popen([sys.executable, '-c', READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                           stderr=subprocess.DEVNULL, encoding='utf-8', errors='surrogateescape')
        self._child.stdin.write(path + '\n')
        self._child.stdin.flush()
        alarm = signal.signal(signal.SIGALRM, lambda *_: self._child.kill())
        signal.setitimer(signal.ITIMER_REAL, self.timeout)
        try:
            answer = self._child.stdout.readline().strip()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, alarm)
        if answer:
            return answer
        code = self._child.wait()
        self.close()
        if code == -signal.SIGKILL:
            return f'hang: ended after {self.timeout:g} s'
        return f'crash: {signal.Signals(-code).name}' if code < 0 else f'crash: exit status {code}'

    def close(self) -> None:
        """End the child process."""
        if self._child is not None:
            self._child.stdin.close()
            self._child.wait()
            self._child.stdout.close()
            self._child = None


def check(paths: Iterable[str], timeout: float = 60.) -> Iterator[Tuple[str, str]]:
    """Each path, and what became of it."""
    reader = Reader(timeout)
    try:
        for path in paths:
            yield path, reader.read(path)
    finally:
        reader.close()


def main() -> int:
    """Check a list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('list', type=Path, help='annotation file: one video a line')
    parser.add_argument('--root', type=Path, default=Path(), help='folder that the paths are relative to')
    parser.add_argument('--delimiter', help='between path and label, as in the data set; default: white space')
    parser.add_argument('--output', type=Path, help='where to write the lines of the videos that are fine')
    parser.add_argument('--timeout', type=float, default=60., help='seconds that a video may take; default: 60')
    args = parser.parse_args()
    lines = [line for line in args.list.read_text(encoding='utf-8').splitlines() if line.strip()]
    paths = [str(args.root / line.strip().split(args.delimiter)[0]) for line in lines]
    kinds: Counter = Counter()
    fine = []
    for line, (path, answer) in zip(lines, check(track(paths, 'opening', disable=not sys.stdout.isatty()), args.timeout)):
        kind = answer if answer == 'fine' else answer.split(':')[0] if answer[:5] in ('crash', 'hang:') else 'error'
        kinds[kind] += 1
        if kind == 'fine':
            fine.append(line)
        else:
            print(f'{path}\t{answer}')
    print(f'{len(lines)} videos: ' + ', '.join(f'{count} {kind}' for kind, count in kinds.most_common()))
    if args.output:
        args.output.write_text(''.join(f'{line}\n' for line in fine), encoding='utf-8')
    return 0 if len(fine) == len(lines) else 1


if __name__ == '__main__':
    sys.exit(main())
