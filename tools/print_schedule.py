"""Print the schedule of a multigrid config.

``python -m mmaction_multigrid schedule`` under its old name.
"""

import sys

from mmaction_multigrid.__main__ import main

if __name__ == '__main__':
    sys.exit(main(['schedule', *sys.argv[1:]]))
