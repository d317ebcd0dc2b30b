"""Writes the resolved form of a multigrid config: every stage, shape, lr and hook, for the stock Runner."""

import argparse
import sys
from contextlib import redirect_stdout

from ..config import apply_multigrid
from .config_args import add_config, load_config

EXAMPLE = 'resolve CONFIG resolved.py'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    add_config(parser)
    out = parser.add_mutually_exclusive_group()
    out.add_argument('out', metavar='OUT', nargs='?',
                     help='file to write; printed where there is none')
    out.add_argument('--out', metavar='OUT', dest='out_option',
                     help='the same')


def run(args: argparse.Namespace) -> None:
    """Resolve a config and write or print it.

    Raises:
        ValueError: The file would be no Python config.
    """
    out = args.out or args.out_option
    if out and not out.endswith('.py'):
        raise ValueError(f'{out}: must end in .py; other formats have no '
                         'tuples, and such a config does not train')
    cfg = load_config(args)
    with redirect_stdout(sys.stderr):  # where its warnings belong
        resolved = apply_multigrid(cfg)
    if out:
        resolved.dump(out)
    else:
        print(resolved.pretty_text)
