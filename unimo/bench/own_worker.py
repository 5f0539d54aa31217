"""This package as a worker of :mod:`unimo.bench.peers`, in a process with other settings or another thread count."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from unimo.bench.timing import Clock, Run


def serve(prepare: Callable[[str, dict[str, Any]], Run], versions: dict[str, str]) -> None:
    """Answer every line of standard input until it ends."""
    run: Run | None = None
    for line in sys.stdin:
        question = json.loads(line)
        if "work" in question:
            run = prepare(question["work"], question["options"])
            answer: dict[str, Any] = {"ready": versions}
        else:
            assert run is not None
            answer = {"seconds": run()}
        print(json.dumps(answer), flush=True)


def main() -> None:
    """Serve the encoder's work."""
    import paddle

    from unimo.bench import workloads
    from unimo.runtime import apply_settings

    apply_settings(is_program=True)
    paddle.set_device("cpu")

    def prepare(work: str, options: dict[str, Any]) -> Run:
        return Clock(options["clock_threads"]).timed(workloads.prepare(work, options))

    serve(prepare, {"paddlepaddle": paddle.__version__})


if __name__ == "__main__":
    main()
