"""Beam search with the network: the prefix is encoded once an example, finished examples leave the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor

from unimo import kernels
from unimo.generation.largest import largest
from unimo.generation.search import FORBIDDEN, Beams, BeamSettings, Hypothesis, extend, read_hypotheses
from unimo.generation.trigrams import TrigramBlocker
from unimo.modeling import ModelInputs
from unimo.modeling.tensors import as_tensor

Array = np.ndarray


class Decoder(Protocol):
    """What decoding needs of a network: see the methods of :class:`unimo.modeling.UnimoModel`."""

    def start_decoding(self, inputs: ModelInputs) -> Any:
        """Encode what is given; the state has ``follow`` and ``keep``."""

    def decode_step(self, step: ModelInputs, state: Any) -> Tensor:
        """[B, K] newest tokens -> [B, K, D] states."""

    def language_logits(self, rows: Tensor) -> Tensor:
        """[N, D] -> [N, V]."""


@dataclass(frozen=True)
class TargetStart:
    """How a target begins: its first token, the token that ends it, and the position of its first token."""

    start_id: int
    end_id: int
    first_positions: Array | None = None  # [B] rows of the position table; None starts at 2 everywhere
    role_id: int | None = None
    turn_id: int | None = None


def beam_search(
    model: Decoder,
    prefix: ModelInputs,
    settings: BeamSettings,
    start_id: int,
    end_id: int,
    opens_word: Array | None = None,
    target: TargetStart | None = None,
) -> list[list[Hypothesis]]:
    """Generate from what is given, by beam search: for each of B examples up to K hypotheses, best first.

    Args:
        model: in evaluation mode, with the masked-language head.
        prefix: what is given: image, tags, source; read in both directions.
        settings: sizes and penalties.
        start_id: first token of every target.
        end_id: token that ends one.
        opens_word: [V] bool, needed for trigram blocking.
        target: positions, role and turn of the target where they are not the usual ones.
    """
    target = target or TargetStart(start_id, end_id)
    if settings.block_trigrams and opens_word is None:
        raise ValueError("block_trigrams: needs to know which dictionary entries open a word")
    blocker = TrigramBlocker(opens_word) if settings.block_trigrams and opens_word is not None else None
    return BeamSearch(model, prefix, settings, target, blocker).run()


class BeamSearch:
    """The running search: beams and caches of the examples that are not done."""

    def __init__(
        self,
        model: Decoder,
        prefix: ModelInputs,
        settings: BeamSettings,
        target: TargetStart,
        blocker: TrigramBlocker | None = None,
    ) -> None:
        self.model, self.settings, self.target, self.blocker = model, settings, target, blocker
        with paddle.no_grad():
            self.state = model.start_decoding(prefix)
        num_examples = int(prefix.segment_ids.shape[0])
        self.beams = Beams.start(num_examples, target.start_id)
        self.active = np.arange(num_examples)
        self.was_done: Array = np.zeros(num_examples, bool)
        empty = (np.zeros((0, 0), np.int64), np.zeros((0, 0)))
        self.results: list[tuple[Array, Array]] = [empty] * num_examples
        first = target.first_positions
        self.first_positions = np.full(num_examples, 2) if first is None else np.asarray(first)

    def run(self) -> list[list[Hypothesis]]:
        """Every example's hypotheses, best first."""
        with paddle.no_grad():
            while self.active.size:
                self.beams = self.extended()
                self.state.follow(self.beams.parents)
                self._retire()
        return [read_hypotheses(ids, scores, self.target.end_id) for ids, scores in self.results]

    def extended(self) -> Beams:
        """The hypotheses one token longer."""
        ids, logs = self._candidates()
        return extend(self.beams, ids, logs, self.target.end_id, self.settings, self.blocker)

    def next_logits(self) -> Tensor:
        """[B * K, V] logits of every hypothesis' next token; the end token is forbidden below the minimum length."""
        length = self.beams.token_ids.shape[2]
        newest = self.beams.token_ids[:, :, -1]
        positions = np.broadcast_to((self.first_positions + length - 1)[:, None], newest.shape)
        states = self.model.decode_step(self._step_inputs(newest, positions), self.state)
        logits = self.model.language_logits(states.reshape([-1, states.shape[-1]]))
        if length - 1 < self.settings.min_length:
            logits[:, self.target.end_id] = logits[:, self.target.end_id] + FORBIDDEN
        return logits

    def _candidates(self) -> tuple[Array, Array]:
        """The beam_size most likely next tokens of each hypothesis and their log-probabilities: [B, K, C] each."""
        logits = self.next_logits()
        count = min(self.settings.beam_size, logits.shape[-1])
        # softmax, then the logarithm of the few that count: log_softmax over a vocabulary is slow on CPU
        if kernels.can_work_on(logits):
            top, ids = kernels.functions.most_likely(logits, count)
        else:
            top, ids = largest(F.softmax(logits).numpy(), count)
        shape = (*self.beams.finished.shape, ids.shape[-1])
        with np.errstate(divide="ignore"):
            logs = np.log(top.astype(np.float64))
        return ids.reshape(shape), logs.reshape(shape)

    def _step_inputs(self, newest: Array, positions: Array) -> ModelInputs:
        def constant(value: int | None) -> Tensor | None:
            return None if value is None else paddle.full(newest.shape, value, "int64")

        ones = paddle.ones(newest.shape, "int64")
        return ModelInputs(
            segment_ids=ones,
            order_ids=ones,
            input_ids=as_tensor(newest),
            position_ids=as_tensor(np.ascontiguousarray(positions)),
            role_ids=constant(self.target.role_id),
            turn_ids=constant(self.target.turn_id),
        )

    def _retire(self) -> None:
        """Take out examples whose hypotheses were all finished a step ago, or all examples at the greatest length."""
        done: Array = np.asarray(self.beams.finished.all(axis=1))
        leave: Array = done & self.was_done
        if self.beams.token_ids.shape[2] - 1 >= self.settings.max_length:
            leave[:] = True
        for row in np.flatnonzero(leave):
            self.results[self.active[row]] = (self.beams.token_ids[row], self.beams.scores[row])
        if leave.any():
            keep = np.flatnonzero(~leave)
            self.active, self.first_positions = self.active[keep], self.first_positions[keep]
            beams = self.beams
            self.beams = Beams(beams.token_ids[keep], beams.scores[keep], beams.finished[keep], beams.parents[keep])
            done = done[keep]
            if len(keep):
                self.state.keep(keep)
        self.was_done = done
