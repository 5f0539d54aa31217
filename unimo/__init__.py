"""UNIMO: one Transformer for text, images and image-text pairs (Li et al., ACL 2021), on PaddlePaddle.

Importing this package applies the runtime settings of :mod:`unimo.runtime` before Paddle starts; it does not import
Paddle itself.
"""

from unimo.runtime import apply_settings

__version__ = "0.1.0"

apply_settings()
