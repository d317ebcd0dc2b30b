"""Adapt pages of docs/ for the site: MkDocs' hook (mkdocs.yml).

README.md is the site's first page.
"""

import os.path as osp
import re
from pathlib import Path

from mkdocs.structure.files import File

DOCS = Path(__file__).resolve().parents[2] / 'docs'
LINK = re.compile(r'\[([^]]+)\]\((?!\w+:|#)([^)#\s]+)[^)]*\)')
# A Sphinx role in a docstring, as MkDocs renders it.
ROLE = re.compile(r':(?:attr|class|data|func|meth|'
                  r'mod):<code>\.*(?:\w+\.)*?(\w+)</code>')


def on_files(files, config):
    """Add README.md as the first page, with its links relative to docs/."""
    text = (DOCS.parent / 'README.md').read_text(encoding='utf-8')
    text = text.replace('](docs/', '](')
    files.append(File.generated(config, 'index.md', content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Replace links out of docs/, and to folders, by their text."""
    folder = (DOCS / page.file.src_uri).parent

    def replace(match):
        path = Path(osp.normpath(folder / match[2]))
        inside = DOCS in path.parents and not path.is_dir()
        return match[0] if inside else match[1]

    return LINK.sub(replace, markdown)


def on_page_content(html, page, config, files):
    """Show the roles of Sphinx in docstrings as plain code."""
    return ROLE.sub(r'<code>\1</code>', html)
