"""Draw the plots of docs/results from the records of the study."""

from pathlib import Path

from records import Groups


def draw(groups: Groups, folder: Path) -> None:
    """Draw the plots."""
