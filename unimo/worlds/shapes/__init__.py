"""`shapes`: pictures of coloured, textured, sized objects in spatial relations, and everything said about them.

:func:`generate` writes a world; :func:`score_captions` and :func:`chance_levels` judge captions against its scenes.
"""

from unimo.worlds.shapes.checking import (
    CaptionCheck,
    SceneIndex,
    chance_levels,
    check_caption,
    parse_caption,
    part_by_pairs,
    score_captions,
    true_of,
)
from unimo.worlds.shapes.generate import draw_scenes, generate, read_captions, validate
from unimo.worlds.shapes.language import Claims, ObjectClaim
from unimo.worlds.shapes.options import ShapesOptions
from unimo.worlds.shapes.render import render_scene
from unimo.worlds.shapes.scene import Scene, SceneObject, read_scenes

__all__ = [
    "CaptionCheck",
    "Claims",
    "ObjectClaim",
    "Scene",
    "SceneIndex",
    "SceneObject",
    "ShapesOptions",
    "chance_levels",
    "check_caption",
    "draw_scenes",
    "generate",
    "parse_caption",
    "part_by_pairs",
    "read_captions",
    "read_scenes",
    "render_scene",
    "score_captions",
    "true_of",
    "validate",
]
