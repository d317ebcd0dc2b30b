"""Write the resolved form of a multigrid config: every stage, shape, lr and hook, for the stock Runner.

    python tools/resolve_config.py CONFIG [OUT.py] [--cfg-options KEY=VALUE ...]
"""

import argparse
import sys
from contextlib import redirect_stdout

from mmengine.config import Config, DictAction

from mmaction_multigrid import apply_multigrid


def main() -> None:
    """Resolve a config and write or print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='path of a multigrid config')
    parser.add_argument('out', nargs='?', help='file to write; printed where there is none')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='config settings to override: key=value')
    args = parser.parse_args()
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    with redirect_stdout(sys.stderr):  # where its warnings belong
        resolved = apply_multigrid(cfg)
    if args.out:
        resolved.dump(args.out)
    else:
        print(resolved.pretty_text)


if __name__ == '__main__':
    main()
