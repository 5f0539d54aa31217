"""``python -m unimo <verb>``: see :mod:`unimo.cli`."""

from __future__ import annotations

import sys

from unimo.cli import main
from unimo.runtime import apply_settings

apply_settings(is_program=True)

if __name__ == "__main__":
    sys.exit(main())
