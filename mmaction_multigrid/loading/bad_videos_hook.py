"""Hook that lists files that cannot be loaded, and limits their number."""

from collections import Counter
from pathlib import Path
from typing import List

from mmengine.dist import barrier, get_rank, is_main_process
from mmengine.hooks import Hook

from mmaction.registry import HOOKS
from ..core.batch_norm import unwrap_model
from ..core.batch_sampler import is_positive_int

MAX_NAMED = 10  # files that the log names
REPORT, CRASHED = 'bad_videos.rank{}.txt', 'crashed_videos.rank{}.txt'


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

    def __init__(self, max_share: float = 0.05, min_clips: int = 200) -> None:
        if isinstance(max_share, bool) or not isinstance(
                max_share, (int, float)) or not 0 <= max_share <= 1:
            raise ValueError(f'BadVideosHook.max_share = {max_share!r}: '
                             'must be a number from 0 to 1')
        if not is_positive_int(min_clips):
            raise ValueError(f'BadVideosHook.min_clips = {min_clips!r}: '
                             'must be an integer of at least 1')
        self.max_share, self.min_clips = max_share, min_clips
        self._counts: Counter = Counter()  # of the lines of each file

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
        if runner._resume:
            lines = _read_lines(folder, '*') if is_main_process() else []
            self._counts.update(name for name, _, _ in lines)
        else:
            for path in (folder / 'bad_videos.txt',
                         *folder.glob('*_videos.rank*.txt')):
                path.unlink(missing_ok=True)  # by another process
            barrier()
        loader.dataset.watch(loader.num_workers,
                             str(folder / REPORT.format(get_rank())),
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
        errors = {
            name: error
            for name, error, outcome in reversed(
                _read_lines(Path(runner.work_dir), get_rank()))
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
        lines, before = _read_lines(folder, '*'), self._counts
        if not lines:
            return
        first = {name: told for name, *told in reversed(lines)}
        counts = self._counts = Counter(name for name, _, _ in lines)
        new = [name for name in counts if name not in before]
        for name in new[:max(0, MAX_NAMED - len(before))]:
            error, outcome = first[name]
            runner.logger.warning(f'cannot load {name} ({error}); {outcome}')
        times = len(lines) - sum(before.values())
        if times and len(counts) > MAX_NAMED:
            runner.logger.warning(
                f'a file could not be loaded {times} times in this epoch, '
                f'{len(counts)} files in all: {folder / "bad_videos.txt"}')
        (folder / 'bad_videos.txt').write_text(
            ''.join(f'{count}\t{name}\t{first[name][0]}\n'
                    for name, count in counts.most_common()),
            encoding='utf-8')

    def after_train(self, runner) -> None:
        """Log the number of files."""
        if self._counts:
            runner.logger.warning(
                f'{len(self._counts)} files could not be loaded: '
                f'{Path(runner.work_dir) / "bad_videos.txt"}')


def _read_lines(folder: Path, rank: object) -> List[List[str]]:
    """Read (name, error, outcome) lines of a rank, or of all, ``'*'``."""
    lines = []
    for path in sorted(folder.glob(REPORT.format(rank))):
        text = path.read_bytes().decode()
        # A line that is being written has no end yet.
        lines += [line.rsplit('\t', 2) for line in text.split('\n')[:-1]]
    return lines
