"""A worker that tells of each point it comes to, and goes on when told: ``told_worker.py SOCKET``.

While it waits, the test may kill whatever it likes: this worker, or any other process. A worker that
has died is followed by another: a fork of the first process, which has imported everything already.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import signal
import socket
import sys
import threading

from shipway import worker
from shipway.kit import durable


def main() -> None:
    stopping = False
    child = 0

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True
        if child:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    while not stopping:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            live()
            os._exit(0)
        os.waitpid(child, 0)
        child = 0


def live() -> None:
    """Be a worker."""
    test = socket.socket(socket.AF_UNIX)
    test.connect(sys.argv[1])
    one_at_a_time = threading.Lock()

    def tell(point: durable.Point) -> None:
        with one_at_a_time:
            test.sendall(json.dumps(dataclasses.asdict(point)).encode() + b"\n")
            test.recv(1)

    durable.on_point.append(tell)
    asyncio.run(worker.main())


if __name__ == "__main__":
    main()
