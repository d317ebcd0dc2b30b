"""Tells which clips could not be loaded, and ends a run that would train on what is left of its data."""

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

MAX_NAMED = 10  # files that the log names; all are in bad_videos.txt
REPORT, CRASHED = 'bad_videos.rank{}.txt', 'crashed_videos.rank{}.txt'


@HOOKS.register_module()
class BadVideosHook(Hook):
    """Lists files that could not be loaded, and were replaced by others, in ``work_dir/bad_videos.txt``.

    The workers of rank ``r`` append to ``bad_videos.rank{r}.txt`` as they meet them, so that a killed run leaves its
    list too. After every epoch rank 0 sums these files up, most frequent first, and names new clips in the log: the
    first ten; then there is a line with counts for every epoch. Files that ended a worker are in
    ``crashed_videos.rank{r}.txt``, each with the epoch. A resumed run goes on with these files, another removes them.
    Priority NORMAL: it depends on no other hook.

    Args:
        max_share (float): The run ends once more than this share of the clips that were tried, counted in each process
            for itself, could not be loaded; 1: never. Defaults to 0.05.
        min_clips (int): Clips that count as tried at the least. Defaults to 200.

    Raises:
        ValueError: An argument is impossible.
        RuntimeError: In training: more clips cannot be loaded.
    """
    priority = 'NORMAL'

    def __init__(self, max_share: float = 0.05, min_clips: int = 200) -> None:
        number = isinstance(max_share, Real) and not isinstance(max_share, bool) and isfinite(max_share)
        if not number or not 0 <= max_share <= 1:
            raise ValueError(f'BadVideosHook.max_share = {max_share!r}: must be a number from 0 to 1')
        if not is_positive_int(min_clips):
            raise ValueError(f'BadVideosHook.min_clips = {min_clips!r}: must '
                             'be an integer of at least 1')
        self.max_share, self.min_clips = max_share, min_clips
        self._read: Dict[Path, int] = {}  # bytes of each report that are counted
        self._counts: Counter = Counter()
        self._errors: Dict[str, str] = {}
        self._begin = 0  # bytes of this process' report that an earlier part of the run wrote

    def before_train(self, runner) -> None:
        """Tell the data set where to report to, before its workers start.

        Raises:
            ValueError: A clip is of a class that the head has not.
        """
        dataloader, folder = runner.train_loop.dataloader, Path(runner.work_dir)
        if not hasattr(dataloader.dataset, 'watch'):
            return
        head = getattr(unwrap_model(runner.model), 'cls_head', None)
        if type(getattr(head, 'loss_cls', None)).__name__ == \
                'CrossEntropyLoss':  # a GPU would not name the clip
            dataloader.dataset.check_classes(head.num_classes)
        report, crashed = folder / REPORT.format(get_rank()), folder / CRASHED.format(get_rank())
        if runner._resume:
            self._begin = _lines(report, 0)[1]
            if is_main_process():
                self._count(folder)
        else:
            self._remove_old(folder)
        dataloader.dataset.watch(dataloader.num_workers, str(report),
                                 str(crashed))

    def after_train_iter(self, runner, batch_idx: int, data_batch=None, outputs=None) -> None:
        """End the run if too many clips of this process could not be loaded.

        Raises:
            RuntimeError: They could not.
        """
        tried, failed = getattr(runner.train_loop.dataloader.dataset, 'tries', (0, 0))
        if failed <= self.max_share * max(tried, self.min_clips):
            return
        examples: Dict[str, str] = {}
        for name, error, outcome in _lines(Path(runner.work_dir) / REPORT.format(get_rank()), self._begin)[0]:
            if 'another clip' in outcome and len(examples) < 3:
                examples.setdefault(name, error)
        named = '; '.join(f'{name} ({error})' for name, error in examples.items()) or 'ended their data workers'
        raise RuntimeError(
            f'{failed} of {tried} clips that were tried could not be loaded ({100 * failed / tried:.1f} %), more than '
            f'BadVideosHook.max_share = {self.max_share:g}: is it the right list and folder? The first: {named}. '
            'Mend the list (`python -m mmaction_multigrid videos LIST --root FOLDER --out CLEAN` opens all of it), '
            "or allow more: custom_hooks = [dict(type='BadVideosHook', max_share=...)]")

    def after_train_epoch(self, runner) -> None:
        """Sum up, and log what is new."""
        if not is_main_process():
            return
        folder = Path(runner.work_dir)
        times, new = self._count(folder)
        for name, error, outcome in new:
            runner.logger.warning(f'cannot load {name} ({error}); {outcome}')
        if times and len(self._counts) > MAX_NAMED:
            runner.logger.warning(f'a file could not be loaded {times} times in this epoch, {len(self._counts)} files in '
                                  f'all: {folder / "bad_videos.txt"}')
        if self._counts:
            lines = [f'{count}\t{name}\t{self._errors[name]}\n' for name, count in self._counts.most_common()]
            (folder / 'bad_videos.txt').write_text(''.join(lines), encoding='utf-8')

    def after_train(self, runner) -> None:
        """Say how many there were."""
        if self._counts:
            runner.logger.warning(f'{len(self._counts)} files could not be loaded: '
                                  f'{Path(runner.work_dir) / "bad_videos.txt"}')

    def _remove_old(self, folder: Path) -> None:
        """Of an earlier run: each process its own reports, the first those that no process of this run has."""
        ranks = {get_rank()}
        if is_main_process():
            (folder / 'bad_videos.txt').unlink(missing_ok=True)
            found = (path.name.split('.rank')[1][:-4] for path in folder.glob('*_videos.rank*.txt'))
            ranks.update(int(rank) for rank in found if rank.isdigit() and int(rank) >= get_world_size())
        for rank in ranks:
            for name in (REPORT, CRASHED):
                (folder / name.format(rank)).unlink(missing_ok=True)

    def _count(self, folder: Path) -> Tuple[int, List[Tuple[str, str, str]]]:
        """Count what the workers of all ranks on this machine reported since the last call; its lines and new files."""
        times, new = 0, []
        for path in sorted(folder.glob(REPORT.format('*'))):
            lines, self._read[path] = _lines(path, self._read.get(path, 0))
            for name, error, outcome in lines:
                if name not in self._counts and len(self._counts) < MAX_NAMED:
                    new.append((name, error, outcome))
                self._errors.setdefault(name, error)
                self._counts[name] += 1
                times += 1
        return times, new


def _lines(path: Path, begin: int) -> Tuple[List[Tuple[str, str, str]], int]:
    """Name, error and outcome of each line of a report from a byte on, and where they end."""
    found = []
    if not path.exists():
        return found, begin
    with open(path, 'rb') as file:
        file.seek(begin)
        for line in file:
            if not line.endswith(b'\n'):  # still being written
                break
            begin += len(line)
            found.append(tuple(line.decode().rstrip('\n').rsplit('\t', 2)))
    return found, begin
