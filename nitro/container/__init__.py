"""Container images: read from an OCI layout, a `docker save` archive or a registry.

    reference ─ source ─ configuration, layers ─ unpacked tree with owners and modes

Every byte is somebody else's: sizes are limited, every digest is checked, links are followed
within the image only. No root and no container runtime is needed. What becomes of the tree is
for `nitro.image` to say.
"""

from nitro.container.complete import complete
from nitro.container.container import Container, open_container
from nitro.container.tree import Entry

__all__ = ["Container", "Entry", "complete", "open_container"]
