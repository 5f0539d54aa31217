"""The network."""

from unimo.config.architecture import UnimoConfig
from unimo.modeling.decoding_state import DecodingState
from unimo.modeling.inputs import ModelInputs, attention_bias, attention_mask
from unimo.modeling.model import SCORING_HEADS, Perturbations, UnimoModel, gather_rows

__all__ = [
    "SCORING_HEADS",
    "DecodingState",
    "ModelInputs",
    "Perturbations",
    "UnimoConfig",
    "UnimoModel",
    "attention_bias",
    "attention_mask",
    "gather_rows",
]
