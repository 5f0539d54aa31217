"""The detector that needs no weights: drawn region proposals and a fixed descriptor."""

from unimo.regions.proposals.detector import ProposalDetector, ProposalOptions

__all__ = ["ProposalDetector", "ProposalOptions"]
