"""Hook that lists the files that cannot be loaded, and limits their number."""

from pathlib import Path
from typing import List

from mmengine.dist import barrier, get_rank, is_main_process
from mmengine.hooks import Hook

from mmaction.registry import HOOKS
from ..core.batch_norm import unwrap_model
from .broken import REPLACED

# The share of failed clips is of at least this number, so that a few broken
# files at the start do not end a run.
MIN_CLIPS = 200
REPORT = 'bad_videos.rank{}.txt'


@HOOKS.register_module()
class BadVideosHook(Hook):
    """List broken files in ``work_dir/bad_videos.txt``, and limit their share.

    The workers of rank ``r`` append to ``bad_videos.rank{r}.txt``, so that the
    list of a killed run is kept. After an epoch with new files rank 0 writes
    the list and logs its length. A resumed run continues these reports, and
    replaces the files in them that crashed a worker. A new run removes them.

    Args:
        max_share (float): Training ends if a larger share of the clips that a
            process tried, counted as 200 at least, cannot be loaded. 1 means
            never. Defaults to 0.05.

    Raises:
        ValueError: ``max_share`` is impossible.
        RuntimeError: During training, if more clips cannot be loaded.
    """

    def __init__(self, max_share: float = 0.05) -> None:
        if isinstance(max_share, bool) or not isinstance(
                max_share, (int, float)) or not 0 <= max_share <= 1:
            raise ValueError(f'BadVideosHook.max_share = {max_share!r}: '
                             'must be a number from 0 to 1')
        self.max_share = max_share
        self._num_listed = 0

    def before_train(self, runner) -> None:
        """Set the files that the dataset reports to.

        Raises:
            ValueError: A clip has a class that does not exist.
        """
        loader, folder = runner.train_loop.dataloader, Path(runner.work_dir)
        if not hasattr(loader.dataset, 'watch'):
            runner.logger.warning(
                'BadVideosHook: does nothing without multigrid, which '
                'replaces broken videos')
            return
        head = getattr(unwrap_model(runner.model), 'cls_head', None)
        loss = type(getattr(head, 'loss_cls', None)).__name__
        # On a GPU the loss fails by a device assertion, which does not name
        # the clip. Losses other than cross-entropy may allow more classes.
        if loss == 'CrossEntropyLoss':
            loader.dataset.check_classes(head.num_classes)
        if not runner._resume:
            for path in folder.glob('bad_videos*.txt'):
                path.unlink(missing_ok=True)  # another process may do it
            # A fast process must not report before a slow one removes files.
            barrier()
        loader.dataset.watch(loader.num_workers,
                             str(folder / REPORT.format(get_rank())))

    def after_train_iter(self,
                         runner,
                         batch_idx: int,
                         data_batch=None,
                         outputs=None) -> None:
        """End training if too many clips of this process cannot be loaded.

        Raises:
            RuntimeError: The share of failed clips exceeds ``max_share``.
        """
        tried, failed = getattr(runner.train_loop.dataloader.dataset, 'tries',
                                (0, 0))
        if failed <= self.max_share * max(tried, MIN_CLIPS):
            return
        lines = _read_lines(Path(runner.work_dir), get_rank())
        files = dict.fromkeys(f'{name} ({error})'
                              for name, error, outcome in lines
                              if outcome == REPLACED)
        first = '; '.join([*files][:3]) or 'ended their workers'
        raise RuntimeError(
            f'{failed} of {tried} clips that were tried could not be loaded '
            f'({100 * failed / tried:.1f} %), more than '
            f'BadVideosHook.max_share = {self.max_share:g}: the first is '
            f'{first}. Check list and folder (`python -m mmaction_multigrid '
            'videos LIST --root FOLDER --out CLEAN` opens all files), or '
            "allow more: custom_hooks = [dict(type='BadVideosHook', "
            'max_share=...)]')

    def after_train_epoch(self, runner) -> None:
        """Write the list, and log its length if there are new files."""
        if not is_main_process():
            return
        folder = Path(runner.work_dir)
        errors = {name: error for name, error, _ in _read_lines(folder, '*')}
        if len(errors) > self._num_listed:
            self._num_listed = len(errors)
            runner.logger.warning(f'{len(errors)} files could not be loaded '
                                  f'so far: {folder / "bad_videos.txt"}')
            (folder / 'bad_videos.txt').write_text(
                ''.join(f'{name}\t{error}\n'
                        for name, error in errors.items()), 'utf-8')


def _read_lines(folder: Path, rank: object) -> List[List[str]]:
    """Read lines (name, error, outcome) of a rank, or of all with ``'*'``."""
    lines = []
    for path in sorted(folder.glob(REPORT.format(rank))):
        text = path.read_bytes().decode(errors='replace')
        # Workers may be writing: the last line counts once it has an end.
        lines += [line.rsplit('\t', 2) for line in text.split('\n')[:-1]]
    return lines
