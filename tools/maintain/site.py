"""MkDocs' hook for the site of docs/ (mkdocs.yml): files outside of docs/ that pages link to become pages, too."""

import os.path as osp
import re
from pathlib import Path
from typing import Dict, Iterator

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / 'docs'
OUTSIDE = 'repository'  # their folder in the site
LINK = re.compile(r'(?<=\]\()(?!\w+:|#)([^)#\s]+)')
ROLE = re.compile(r':(?:attr|class|data|func|meth|mod):<code>\.*(?:\w+\.)*?(\w+)</code>')  # of docstrings


def links_out(text: str, folder: Path) -> Iterator[Path]:
    """What a page in a folder links to that MkDocs has no page or file for."""
    for link in LINK.findall(text):
        path = Path(osp.normpath(folder / link))
        if path.exists() and (DOCS not in path.parents or path.is_dir()):
            yield path


def read(path: Path) -> str:
    """A file, or the list of a folder's, as a page."""
    if path.suffix == '.md':
        return path.read_text(encoding='utf-8')
    title = f'# {path.relative_to(ROOT)}\n\n'
    if path.is_dir():
        return title + ''.join(f'- [{each.name}]({path.name}/{each.name})\n' for each in sorted(path.iterdir()))
    return f'{title}```{path.suffix[1:]}\n{path.read_text(encoding="utf-8")}```\n'


def page_of(path: Path) -> str:
    """Where a file or folder of the repository is among the sources of the site."""
    if DOCS in path.parents and not path.is_dir():
        return path.relative_to(DOCS).as_posix()
    return f'{OUTSIDE}/{path.relative_to(ROOT).as_posix()}' + ('' if path.suffix == '.md' else '.md')


def on_files(files, config):
    """Add a page for everything outside of docs/ that a page links to, and for what that links to."""
    waiting = [(DOCS / file.src_uri).parent / link for file in files.documentation_pages()
               for link in links_out(file.content_string, (DOCS / file.src_uri).parent)]
    added: Dict[Path, str] = {}
    while waiting:
        path = waiting.pop()
        if path not in added:
            added[path] = read(path)
            waiting += links_out(added[path], path.parent)
            files.append(File.generated(config, page_of(path), content=added[path]))
    return files


def on_page_markdown(markdown, page, config, files):
    """Point links at the pages that were added."""
    source = page.file.src_uri
    inside = source.startswith(f'{OUTSIDE}/')
    original = ROOT / source[len(OUTSIDE) + 1:] if inside else DOCS / source

    def follow(match):
        path = Path(osp.normpath(original.parent / match[1]))
        if not path.exists() or not (inside or DOCS not in path.parents or path.is_dir()):
            return match[0]
        return osp.relpath(page_of(path), osp.dirname(source) or '.').replace(osp.sep, '/')

    return LINK.sub(follow, markdown)


def on_page_content(html, page, config, files):
    """Show the roles of Sphinx in docstrings as plain code."""
    return ROLE.sub(r'<code>\1</code>', html)
