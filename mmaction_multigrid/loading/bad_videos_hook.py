"""Hook that lists files that cannot be loaded, and limits their number."""

from collections import Counter
from math import isfinite
from numbers import Real
from pathlib import Path
from typing import Dict, List, Tuple

from mmaction.registry import HOOKS
from mmengine.dist import get_rank, get_world_size, is_main_process
from mmengine.hooks import Hook

from ..core.batch_norm import unwrap_model
from ..core.batch_sampler import is_positive_int

MAX_NAMED = 10  # files that the log names
REPORT, CRASHED = 'bad_videos.rank{}.txt', 'crashed_videos.rank{}.txt'
Lines = List[Tuple[str, str, str]]


@HOOKS.register_module()
class BadVideosHook(Hook):
    """List files that were replaced in ``work_dir/bad_videos.txt``.

    The workers of rank ``r`` append to ``bad_videos.rank{r}.txt``, so that a
    killed run leaves its list, too. After every epoch rank 0 counts the
    lines, most frequent file first, and logs the first ten files, later on
    numbers alone. Files that ended a worker are in
    ``crashed_videos.rank{r}.txt``. A resumed run goes on with these files,
    and a new run removes them.

    Args:
        max_share (float): Training ends once more than this share of the
            clips that a process tried could not be loaded; 1: never.
            Defaults to 0.05.
        min_clips (int): Clips that count as tried at least. Defaults to 200.

    Raises:
        ValueError: An argument is impossible.
        RuntimeError: In training: more clips cannot be loaded.
    """
    priority = 'NORMAL'

    def __init__(self, max_share: float = 0.05, min_clips: int = 200) -> None:
        number = isinstance(max_share, Real) and not isinstance(
            max_share, bool) and isfinite(max_share)
        if not number or not 0 <= max_share <= 1:
            raise ValueError(f'BadVideosHook.max_share = {max_share!r}: must '
                             'be a number from 0 to 1')
        if not is_positive_int(min_clips):
            raise ValueError(f'BadVideosHook.min_clips = {min_clips!r}: must '
                             'be an integer of at least 1')
        self.max_share, self.min_clips = max_share, min_clips
        self._read: Dict[Path, int] = {}  # bytes that are counted
        self._counts: Counter = Counter()
        self._errors: Dict[str, str] = {}
        self._begin = 0  # bytes of an earlier part of the run

    def before_train(self, runner) -> None:
        """Tell the dataset where to report to.

        Raises:
            ValueError: A clip is of a class that the head does not have.
        """
        loader, folder = runner.train_loop.dataloader, Path(runner.work_dir)
        if not hasattr(loader.dataset, 'watch'):
            return
        head = getattr(unwrap_model(runner.model), 'cls_head', None)
        loss = type(getattr(head, 'loss_cls', None)).__name__
        if loss == 'CrossEntropyLoss':  # on a GPU it would not name the clip
            loader.dataset.check_classes(head.num_classes)
        report = folder / REPORT.format(get_rank())
        if runner._resume:
            self._begin = _read_lines(report, 0)[1]
            if is_main_process():
                self._count(folder)
        else:
            self._remove_old(folder)
        loader.dataset.watch(loader.num_workers, str(report),
                             str(folder / CRASHED.format(get_rank())))

    def after_train_iter(self,
                         runner,
                         batch_idx: int,
                         data_batch=None,
                         outputs=None) -> None:
        """End training if too many clips of this process are replaced.

        Raises:
            RuntimeError: They are.
        """
        dataset = runner.train_loop.dataloader.dataset
        tried, failed = getattr(dataset, 'tries', (0, 0))
        if failed <= self.max_share * max(tried, self.min_clips):
            return
        report = Path(runner.work_dir) / REPORT.format(get_rank())
        errors = {
            name: error
            for name, error, outcome in reversed(
                _read_lines(report, self._begin)[0])
            if 'another clip' in outcome
        }
        first = list(errors.items())[:-4:-1]
        named = '; '.join(f'{name} ({error})' for name, error in first)
        raise RuntimeError(
            f'{failed} of {tried} clips that were tried could not be loaded '
            f'({100 * failed / tried:.1f} %), more than '
            f'BadVideosHook.max_share = {self.max_share:g}: is it the right '
            f'list and folder? The first: {named or "ended their workers"}. '
            'Mend the list (`python -m mmaction_multigrid videos LIST --root '
            'FOLDER --out CLEAN` opens all of it), or allow more: '
            "custom_hooks = [dict(type='BadVideosHook', max_share=...)]")

    def after_train_epoch(self, runner) -> None:
        """Write the list, and log what is new."""
        if not is_main_process():
            return
        folder = Path(runner.work_dir)
        times, new = self._count(folder)
        for name, error, outcome in new:
            runner.logger.warning(f'cannot load {name} ({error}); {outcome}')
        if times and len(self._counts) > MAX_NAMED:
            runner.logger.warning(
                f'a file could not be loaded {times} times in this epoch, '
                f'{len(self._counts)} files in all: '
                f'{folder / "bad_videos.txt"}')
        if self._counts:
            lines = [
                f'{count}\t{name}\t{self._errors[name]}\n'
                for name, count in self._counts.most_common()
            ]
            (folder / 'bad_videos.txt').write_text(
                ''.join(lines), encoding='utf-8')

    def after_train(self, runner) -> None:
        """Log the number of files."""
        if self._counts:
            runner.logger.warning(
                f'{len(self._counts)} files could not be loaded: '
                f'{Path(runner.work_dir) / "bad_videos.txt"}')

    def _remove_old(self, folder: Path) -> None:
        """Remove the reports of an earlier run.

        Each process removes its own, and the first one those of ranks that
        this run does not have.
        """
        ranks = {str(get_rank())}
        if is_main_process():
            (folder / 'bad_videos.txt').unlink(missing_ok=True)
            found = (path.name.split('.rank')[1][:-4]
                     for path in folder.glob('*_videos.rank*.txt'))
            ranks |= {
                rank
                for rank in found
                if rank.isdigit() and int(rank) >= get_world_size()
            }
        for rank in ranks:
            for name in (REPORT, CRASHED):
                (folder / name.format(rank)).unlink(missing_ok=True)

    def _count(self, folder: Path) -> Tuple[int, Lines]:
        """Count new lines of all ranks; return their number and new files."""
        times, new = 0, []
        for path in sorted(folder.glob(REPORT.format('*'))):
            lines, self._read[path] = _read_lines(path,
                                                  self._read.get(path, 0))
            times += len(lines)
            for name, error, outcome in lines:
                if name not in self._counts and len(self._counts) < MAX_NAMED:
                    new.append((name, error, outcome))
                self._errors.setdefault(name, error)
                self._counts[name] += 1
        return times, new


def _read_lines(path: Path, begin: int) -> Tuple[Lines, int]:
    """Read (name, error, outcome) lines from a byte on, and their end."""
    if not path.exists():
        return [], begin
    with open(path, 'rb') as file:
        file.seek(begin)
        # A line that is being written has no end yet.
        lines = [line for line in file if line.endswith(b'\n')]
    begin += sum(map(len, lines))
    return [
        tuple(line.decode().rstrip('\n').rsplit('\t', 2)) for line in lines
    ], begin
