"""What every training job says, whatever its task. The task's own settings stand beside it under `options`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from unimo.config.architecture import UnimoConfig


@dataclass(frozen=True)
class DataConfig:
    """Where the records lie and how they become batches. Paths are relative to the working directory."""

    train: str = ""
    """File of the training records. Its format is told by its name and content; `FILE#PART` names a part of it, such as
    the splits of Karpathy's files: `dataset_coco.json#train+restval` (see data/README.md). Files of the original
    release are told by their first line; a folder or a filelist may stand for several."""

    evaluate: dict[str, str] = field(default_factory=dict)
    """Split name -> file, or FILE#PART, for every split that is evaluated (dev, test, mismatched, ...)."""

    regions: str = ""
    """Region store of the images; empty for tasks on text alone."""

    tokens_per_batch: int = 4096
    """Positions (regions + tokens, padding included) of one batch over all processes; sequences of similar length
    share a batch."""

    max_examples_per_batch: int = 0
    """Most records of a batch; 0 is no limit."""

    pack: bool = False
    """Put several short sequences into one row, none seeing another: less padding where the regions of images differ
    in number (captions with 10 to 100 regions: 28% -> 5%); batches by length are enough for texts. Sampling of batches
    differs, so results do in the way that another seed's do. Not together with adversarial training."""

    max_text_length: int = 512
    """Longest text in tokens, special tokens included; longer ones are cut (`unimo data check` says how many)."""

    max_regions: int = 101
    """Most regions of an image, the whole image included."""

    compat: Literal["", "original"] = ""
    """`original` reproduces the batches of the original release, faults included: its order, shuffles, cuts and sampled
    negatives. A batch then has max_examples_per_batch records (captions for retrieval), or, where that is 0,
    tokens_per_batch positions (its `in_tokens`); `regions` may name released files, read in single precision."""

    def __post_init__(self) -> None:
        """Refuse budgets that hold nothing."""
        for name in ("tokens_per_batch", "max_text_length", "max_regions"):
            if getattr(self, name) < 3:
                raise ValueError(f"{name}: {getattr(self, name)} is too small")
        if self.pack and self.compat:
            raise ValueError("pack: not together with compat, which changes nothing of the batches")


@dataclass(frozen=True)
class OptimizerConfig:
    """AdamW, its schedule and clipping. Defaults are the original's fine-tuning."""

    learning_rate: float = 5e-5
    """Peak learning rate."""

    beta1: float = 0.9
    """Decay of the first moment."""

    beta2: float = 0.98
    """Decay of the second moment (0.999 in the original's visual entailment script)."""

    epsilon: float = 1e-6
    """Added to the root of the second moment."""

    epsilon_rescaled: bool = False
    """False: epsilon is added before the bias correction (original); True: after it, as torch and Paddle do."""

    weight_decay: float = 0.01
    """Decoupled decay of matrices; layer normalisations and biases are left out (original's rule by name)."""

    max_grad_norm: float = 1.0
    """Gradients are scaled down to this global norm; 0 switches clipping off."""

    schedule: Literal["linear_warmup_decay", "noam_decay", "scale_by_epoch_decay", "linear", "constant"] = "linear"
    """`linear_warmup_decay`, `noam_decay` and `scale_by_epoch_decay` are the original's, first step at rate 0 and
    jump at the end of the warm-up included; `linear` rises to the peak and falls to 0 without a jump."""

    warmup_steps: int = 0
    """Steps until the peak; 0 takes warmup_ratio."""

    warmup_ratio: float = 0.06
    """Share of all steps until the peak, where warmup_steps is 0."""

    decay_epochs: tuple[int, ...] = (24, 32)
    """`scale_by_epoch_decay`: epochs at which the rate is multiplied by decay_scale."""

    decay_scale: float = 0.1
    """`scale_by_epoch_decay`: factor at each of decay_epochs."""


@dataclass(frozen=True)
class TrainingConfig:
    """How long to train, and what to keep."""

    num_steps: int = 0
    """Optimizer steps; 0 takes num_epochs."""

    num_epochs: float = 0.0
    """Passes over the training records, where num_steps is 0."""

    gradient_accumulation_steps: int = 1
    """Batches that a step reads one after another, as if they were one large batch: their losses weigh as the numbers
    of their targets. Contrastive candidates are those of each batch."""

    seed: int = 1
    """Of everything random in the run."""

    average_decay: float = 0.0
    """Decay of an exponential moving average of the weights, which is then evaluated and kept as the best in place of
    the last weights; 0 switches it off (as in the original)."""

    log_every: int = 10
    """Steps between lines in metrics.jsonl."""

    evaluate_every: int = 0
    """Steps between evaluations of all splits; 0 evaluates at the end only."""

    save_every: int = 0
    """Steps between checkpoints to resume from; 0 saves at the end only."""

    keep_checkpoints: int = 2
    """Checkpoints to keep, the latest ones; the best by best_metric is kept besides."""

    best_metric: str = ""
    """`split.metric` that decides which checkpoint is the best; empty takes the task's own on the first split."""

    max_skipped_steps: int = 10
    """A step whose loss or gradient is not finite is skipped and counted; after this many in a row the run stops, and
    writes the ids of the batch's records to not_finite.json. With loss scaling those count that the smallest scale
    did not help."""

    def __post_init__(self) -> None:
        """Refuse counts that cannot be."""
        if self.num_steps < 0 or self.num_epochs < 0:
            raise ValueError("num_steps and num_epochs: must not be negative")
        if not 0 <= self.average_decay < 1:
            raise ValueError(f"average_decay: {self.average_decay} is not in [0, 1)")
        for name in ("gradient_accumulation_steps", "log_every", "keep_checkpoints", "max_skipped_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)}, but at least 1 is needed")


@dataclass(frozen=True)
class NcclOptions:
    """How GPUs talk to each other. Needs GPUs, and was never run here; on CPU anything but the defaults is refused."""

    timeout_minutes: float = 30.0
    """After which a collective that is waited for ends the process (PADDLE_PG_TIMEOUT)."""

    socket_interface: str = ""
    """Network interface between machines, such as `eth0`; empty lets NCCL choose (NCCL_SOCKET_IFNAME)."""

    disable_infiniband: bool = False
    """Go over sockets in place of InfiniBand or RoCE (NCCL_IB_DISABLE)."""

    debug: Literal["", "VERSION", "WARN", "INFO", "TRACE"] = ""
    """What NCCL prints into the processes' logs (NCCL_DEBUG)."""

    def __post_init__(self) -> None:
        """Refuse a time that is none."""
        if self.timeout_minutes <= 0:
            raise ValueError(f"timeout_minutes: {self.timeout_minutes} is not above 0")

    def environment(self) -> dict[str, str]:
        """The variables that say all that is not a default, to be set before the process group starts."""
        said = {
            "PADDLE_PG_TIMEOUT": str(round(self.timeout_minutes * 60_000)),  # milliseconds
            "NCCL_SOCKET_IFNAME": self.socket_interface,
            "NCCL_IB_DISABLE": "1" if self.disable_infiniband else "",
            "NCCL_DEBUG": self.debug,
        }
        if self.timeout_minutes == NcclOptions.timeout_minutes:
            del said["PADDLE_PG_TIMEOUT"]
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True)
class DistributedConfig:
    """How the processes of a job share the work.

    The global batch is the same for any number of them, and so is the result, but for the masks of dropout.
    """

    sharding_stage: int = 0
    """What is shared out among processes in place of being held by each: 0 nothing; 1 the optimizer's moments; 2 the
    gradients besides; 3 the weights besides. 2 and 3 need GPUs and were never run here."""

    recompute: bool = False
    """Compute each layer's activations again in the backward pass in place of keeping them: less memory, a third more
    time."""

    bucket_megabytes: int = 32
    """Gradients are summed over processes in pieces of about this size."""

    hang_seconds: float = 300.0
    """A process that has finished no step and no evaluation batch for this long counts as hung, and its supervisor
    starts the job again; longer than the longest step, checkpoint or computation of metrics."""

    start_seconds: float = 3600.0
    """The same for processes that have given no sign of life since the attempt began: longer than starting Paddle,
    reading all data, and waiting for the other machines take."""

    nccl: NcclOptions = field(default_factory=NcclOptions)
    """How GPUs talk to each other."""

    def __post_init__(self) -> None:
        """Refuse values that mean nothing."""
        if self.sharding_stage not in (0, 1, 2, 3):
            raise ValueError(f"sharding_stage: {self.sharding_stage} is none of 0, 1, 2, 3")
        if self.bucket_megabytes < 1 or self.hang_seconds <= 0 or self.start_seconds <= 0:
            raise ValueError("bucket_megabytes, hang_seconds and start_seconds: must be above 0")


@dataclass(frozen=True)
class PrecisionConfig:
    """Numbers that the network is computed in; weights and moments are float32 in any case."""

    compute: Literal["float32", "bfloat16", "float16"] = "float32"
    """Of training steps; evaluation and decoding compute in float32. bfloat16 and float16 (with loss scaling) need a
    GPU, and were never run here."""

    initial_loss_scale: float = 65536.0
    """float16: factor of the loss before the backward pass, so that small gradients do not vanish."""

    growth_interval: int = 2000
    """float16: steps without overflow until the factor doubles."""

    def __post_init__(self) -> None:
        """Refuse scales that cannot be."""
        if self.initial_loss_scale < 1 or self.growth_interval < 1:
            raise ValueError("initial_loss_scale and growth_interval: at least 1")


@dataclass(frozen=True)
class JobConfig:
    """One training job."""

    task: str
    """What to train for."""

    output: str
    """Run folder: config.yaml, metrics.jsonl, checkpoints/, predictions/, report.json."""

    tokenizer: str = ""
    """Folder of a released dictionary, or of a saved tokenizer; empty takes the one beside init_from."""

    init_from: str = ""
    """Checkpoint folder to start from; empty starts from random weights."""

    arch: UnimoConfig | None = None
    """Sizes of the network; null is the checkpoint's with init_from, and the released base model's without. Beside
    init_from, layers, widths, heads and positions have to be the checkpoint's, and both dropouts are taken from here;
    what an architecture leaves out is the base model's."""

    data: DataConfig = field(default_factory=DataConfig)
    """Records and batches."""

    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    """AdamW and its schedule."""

    training: TrainingConfig = field(default_factory=TrainingConfig)
    """Length of the run and what is kept."""

    distributed: DistributedConfig = field(default_factory=DistributedConfig)
    """How several processes share the work."""

    precision: PrecisionConfig = field(default_factory=PrecisionConfig)
    """Numbers that the network is computed in."""

    sweep: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    """Dotted key -> values to try: `unimo sweep` trains every combination of them, each in a folder of its own below
    `output`; `unimo train` takes the job's own values."""
