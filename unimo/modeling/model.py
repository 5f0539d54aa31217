"""The network: one Transformer for texts, images and both in one sequence."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import paddle
from paddle import Tensor, nn

from unimo.config.architecture import UnimoConfig
from unimo.files import atomic_folder
from unimo.modeling.decoding_state import DecodingState
from unimo.modeling.heads import HEADS
from unimo.modeling.inputs import ModelInputs, attention_bias, attention_mask
from unimo.modeling.layers import RegionEmbeddings, TextEmbeddings, TransformerLayer, bias_heads
from unimo.modeling.linear import Linear, for_few_rows
from unimo.modeling.pretrained import WEIGHTS_NAME, load_arrays, read_arrays, read_config, write_model_files

SCORING_HEADS = ("match", "cosine")
"""The heads that score a text with an image, of which a model has one."""


@dataclass(frozen=True)
class Perturbations:
    """Adversarial additions to the inputs (VILLA, FreeLB)."""

    text: Tensor | None = None  # [B, T, D], added to word + position before the normalisation
    regions: Tensor | None = None  # [B, R, F], added to the region features


class UnimoModel(nn.Layer):
    """Embeddings, Transformer layers and the heads that were asked for.

    Args:
        config: sizes.
        heads: head name (see ``modeling.heads.HEADS``) -> number of outputs, 0 where the head has none to choose.
    """

    def __init__(self, config: UnimoConfig, heads: Mapping[str, int] | None = None) -> None:
        super().__init__()
        unknown = set(heads or {}) - set(HEADS)
        if unknown:
            raise ValueError(f"unknown heads {sorted(unknown)}; there are {sorted(HEADS)}")
        self.config = config
        self.head_sizes = dict(heads or {})
        self.text_embeddings = TextEmbeddings(config)
        self.region_embeddings = RegionEmbeddings(config) if config.image_embedding_size else None
        self.layers = nn.LayerList([TransformerLayer(config) for _ in range(config.num_hidden_layers)])
        self.heads = nn.LayerDict({name: HEADS[name](config, size) for name, size in self.head_sizes.items()})

    def forward(self, inputs: ModelInputs, perturbations: Perturbations | None = None) -> Tensor:
        """Encode a batch: -> [B, L, D], regions first, then text."""
        hidden = self.embed(inputs, perturbations)
        mask = attention_mask(inputs.segment_ids, inputs.order_ids)
        bias = attention_bias(mask, bias_heads(hidden, self.config.num_attention_heads))
        for layer in self.layers:
            hidden = layer(hidden, bias)
        return hidden

    def embed(self, inputs: ModelInputs, perturbations: Perturbations | None = None) -> Tensor:
        """The first layer's input: regions and text in one sequence [B, L, D]."""
        perturbations = perturbations or Perturbations()
        parts = []
        if inputs.region_features is not None:
            if self.region_embeddings is None:
                raise ValueError("image_embedding_size: this model was built without images")
            parts.append(self.region_embeddings(inputs, perturbations.regions))
        if inputs.input_ids is not None:
            parts.append(self.text_embeddings(inputs, perturbations.text))
        return parts[0] if len(parts) == 1 else paddle.concat(parts, axis=1)

    def pool_text(self, hidden: Tensor, inputs: ModelInputs) -> Tensor:
        """[B, L, D] -> [B, D] from each row's first text position; [N, D] of N examples that share rows."""
        if inputs.text_starts is not None:
            return self.heads["text_pooler"](gather_rows(hidden, inputs.text_starts))
        return self.heads["text_pooler"](hidden[:, inputs.num_region_positions])

    def pool_image(self, hidden: Tensor, inputs: ModelInputs | None = None) -> Tensor:
        """[B, L, D] -> [B, D] from each row's whole-image position; [N, D] of N examples that share rows."""
        if inputs is not None and inputs.image_starts is not None:
            return self.heads["image_pooler"](gather_rows(hidden, inputs.image_starts))
        return self.heads["image_pooler"](hidden[:, 0])

    def match(self, hidden: Tensor, inputs: ModelInputs) -> Tensor:
        """Score of each row's image and text: [B, L, D] -> [B]."""
        return self.score(self.pool_text(hidden, inputs), self.pool_image(hidden, inputs))

    def score(self, pooled_text: Tensor, pooled_image: Tensor) -> Tensor:
        """Score of texts with images by the head that the model has, matching or cosine: [N, D], [N, D] -> [N]."""
        return self.heads[next(head for head in SCORING_HEADS if head in self.head_sizes)](pooled_text, pooled_image)

    def language_logits(self, rows: Tensor) -> Tensor:
        """[N, D] gathered states -> [N, V] logits."""
        return self.heads["masked_language"](rows, self.text_embeddings.words.weight)

    @contextlib.contextmanager
    def decoding_weights(self) -> Iterator[None]:
        """Within it, steps of decoding read copies of large weights that products of few rows go through faster.

        The weights must not change meanwhile. On a GPU, and for a model without the language head, nothing is copied.
        The copies take up to 0.5 GB for base and 1.4 GB for large, while it decodes: of every weight where they are
        packed (AVX-512), else of those whose rows are padded.
        """
        words = self.text_embeddings.words.weight
        if "masked_language" not in self.head_sizes or not words.place.is_cpu_place():
            yield
            return
        head = self.heads["masked_language"]
        assert not head.copies, "decoding_weights within decoding_weights"
        linears = [each for each in self.layers.sublayers() if isinstance(each, Linear)]
        try:
            with paddle.no_grad():
                head.copies = [for_few_rows(words, transposed=True)]
                for each in linears:
                    each.copies = [for_few_rows(each.weight)]
            yield
        finally:
            for each in (head, *linears):
                each.copies = []

    def start_decoding(self, inputs: ModelInputs) -> DecodingState:
        """Encode what is given (image, tags, source), once an example, and keep its keys and values."""
        hidden = self.embed(inputs)
        mask = attention_mask(inputs.segment_ids, inputs.order_ids)
        bias = attention_bias(mask, bias_heads(hidden, self.config.num_attention_heads))
        caches = []
        for layer in self.layers:
            hidden, cache = layer.prefix(hidden, bias)
            caches.append(cache)
        return DecodingState(caches, inputs.segment_ids.numpy() > 0)

    def decode_step(self, step: ModelInputs, state: DecodingState) -> Tensor:
        """One token further: ids and positions [B, K] of the newest tokens -> states [B, K, D]; ``state`` grows.

        Only the text fields of ``step`` are read; its T is K, the hypotheses of an example. After the step the caller
        says which hypotheses live on: :meth:`DecodingState.follow`.
        """
        assert step.input_ids is not None
        hidden = self.text_embeddings(step)
        bias = state.open_slots(step.input_ids.shape[1], bias_heads(hidden, self.config.num_attention_heads))
        for layer, cache in zip(self.layers, state.caches, strict=True):
            hidden = layer.step(hidden, cache, bias)
        return hidden

    @classmethod
    def from_pretrained(cls, folder: str | Path, heads: Mapping[str, int] | None = None) -> UnimoModel:
        """The model of a folder, in evaluation mode, with the heads it was saved with or those asked for.

        Raises:
            InputError: files missing or damaged, or parameters missing or left over other than those of heads that
                the caller added or dropped by ``heads``.
        """
        config, saved_heads = read_config(folder)
        model = cls(config, saved_heads if heads is None else heads)
        load_arrays(model, read_arrays(folder), Path(folder) / WEIGHTS_NAME, saved_heads)
        model.eval()
        return model

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors into ``folder``, moved into place when whole."""
        with atomic_folder(folder) as temporary:
            write_model_files(self, temporary)


def gather_rows(hidden: Tensor, rows: Tensor) -> Tensor:
    """[B, L, D] and flat row numbers [N] into B*L -> [N, D]."""
    return paddle.gather(hidden.reshape([-1, hidden.shape[-1]]), rows)
