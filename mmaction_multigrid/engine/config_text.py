"""A config whose text is not laid out anew for every checkpoint."""

from mmengine.config import Config


class ConfigLaidOutOnce(Config):
    """``Config`` that keeps its ``pretty_text`` until something in it changes.

    mmengine writes that text into every checkpoint, and yapf takes half a second and more over it.
    """

    @property
    def pretty_text(self) -> str:
        """Formatted config text."""
        content = repr(self._cfg_dict)  # milliseconds
        known = self.__dict__.get('_known_text')
        if known is None or known[0] != content:
            known = self.__dict__['_known_text'] = content, super().pretty_text
        return known[1]


def lay_out_once(cfg: Config) -> None:
    """Make a config one of :class:`ConfigLaidOutOnce`, in place, unless it has a class of its own already."""
    if type(cfg) is Config:
        object.__setattr__(cfg, '__class__', ConfigLaidOutOnce)
