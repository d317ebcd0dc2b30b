"""Write the text of configs without a layout when this is imported.

mmengine has yapf lay it out for the log and for every checkpoint, which takes
a second each time. Its syntax is still checked.
"""

import ast

from mmengine.config import config


def check_syntax(text, **kwargs):
    """Return what yapf's ``FormatCode`` returns of a text as it is."""
    ast.parse(text)
    return text, False


config.FormatCode = check_syntax
