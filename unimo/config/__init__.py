"""Frozen dataclasses, yaml in, strict: how every configuration of the project is read, checked, shown and written."""

from unimo.config.build import build_parts, load_config
from unimo.config.dump import dump_config, to_plain
from unimo.config.help import describe_parts, field_docs
from unimo.config.overrides import read_yaml

__all__ = ["build_parts", "describe_parts", "dump_config", "field_docs", "load_config", "read_yaml", "to_plain"]
