"""What must be set before Paddle starts, and what a run was computed with."""

from unimo.runtime.environment import describe_environment
from unimo.runtime.settings import SETTINGS, Setting, apply_settings, setting_states, usable_cores

__all__ = ["SETTINGS", "Setting", "apply_settings", "describe_environment", "setting_states", "usable_cores"]
