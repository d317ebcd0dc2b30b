"""For tools that still start here; everything is in pyproject.toml."""

from setuptools import setup

setup()
