"""Write the resolved form of a multigrid config, for the stock Runner."""

import argparse
import sys
from contextlib import redirect_stdout

from ..config import apply_multigrid
from .common import add_config, load_config


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config(parser, clips=False)
    parser.add_argument(
        'out', metavar='OUT', nargs='?', help='file to write; default: print')


def run(args: argparse.Namespace) -> None:
    """Resolve a config and write or print it.

    Raises:
        ValueError: OUT does not end in ``.py``.
    """
    # mmengine would write JSON or YAML, which turn tuples into lists.
    if args.out and not args.out.endswith('.py'):
        raise ValueError(f'{args.out}: must end in .py; other formats have no '
                         'tuples, and such a config does not train')
    # Warnings must not become part of the printed config.
    with redirect_stdout(sys.stderr):
        resolved = apply_multigrid(load_config(args))
    if args.out:
        resolved.dump(args.out)
    else:
        print(resolved.pretty_text)
