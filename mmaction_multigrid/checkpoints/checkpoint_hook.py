"""Checkpoints when a stage validates, whole ones."""

import re
from pathlib import Path
from typing import Any, Optional

from mmaction.registry import HOOKS
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import CheckpointHook

from .backend import AtomicLocalBackend, atomic_write, is_whole


@HOOKS.register_module()
class MultigridCheckpointHook(CheckpointHook):
    """``CheckpointHook`` that saves at the epochs at which ``MultigridTrainLoop`` validates.

    Local files are written by :class:`AtomicLocalBackend`. Its priority is the stock hook's, VERY_LOW: after
    everything that changes the model at the end of an epoch, precise BN among it.

    Args:
        interval (int, optional): Ignored; a stage sets when to save.
        **kwargs: As for ``CheckpointHook``.
    """

    def __init__(self, interval: Optional[int] = None, **kwargs: Any) -> None:
        local = '://' not in str(kwargs.get('out_dir') or '')
        if local and kwargs.get('backend_args') is None and kwargs.get('file_client_args') is None:
            kwargs['backend_args'] = dict(backend=AtomicLocalBackend.__name__)
        super().__init__(interval=1, **kwargs)

    def every_n_epochs(self, runner, n: int, start: int = 0) -> bool:
        """Whether the epoch that ends now is one to save at."""
        return runner.epoch + 1 > start and runner.train_loop.is_eval_epoch(runner.epoch + 1)

    def before_run(self, runner) -> None:
        """Have ``last_checkpoint`` name the newest one that is whole.

        That is for an automatic resume. Of the config, which is in every
        checkpoint, yapf lays out the work dir's file alone: resolved stock
        configs take it 1 to 3 s.
        """
        object.__setattr__(runner.cfg, '_format_python_code', False)
        if runner._resume and runner._load_from is None:
            if is_main_process():
                self._repair_note(runner)
            barrier()

    def _repair_note(self, runner) -> None:
        note = Path(runner.work_dir) / 'last_checkpoint'
        named = note.read_text().strip() if note.is_file() else ''
        # A folder (deepspeed) and a file elsewhere are not ours to judge.
        if named and ('://' in named or Path(named).is_dir() or is_whole(named)):
            return
        found = {int(match.group(1)): path for path in self._folder(runner).glob('*.pth')
                 if (match := re.fullmatch(self._pattern(), path.name))}
        whole = next((path for _, path in sorted(found.items(), reverse=True) if is_whole(path)), None)
        if whole is None:
            if named:
                runner.logger.warning(f'{named} is damaged, and there is no other checkpoint: training starts anew')
                note.unlink()
            return
        runner.logger.warning(f'{named or "last_checkpoint"} is missing or damaged; resuming from {whole} instead')
        atomic_write(note, str(whole).encode())

    def _folder(self, runner) -> Path:
        out_dir = getattr(self, 'out_dir', None)
        return Path(out_dir) / Path(runner.work_dir).name if out_dir else Path(runner.work_dir)

    def _pattern(self) -> str:
        template = self.filename_tmpl or 'epoch_{}.pth'
        return re.escape(template).replace(re.escape('{}'), r'(\d+)')
