"""What tests of supervised runs share."""

from __future__ import annotations

import pytest

from tests.conftest import SmallWorld
from tests.faults.jobs import Ground


@pytest.fixture(scope="module")
def ground(small_world: SmallWorld, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"), small_world)
