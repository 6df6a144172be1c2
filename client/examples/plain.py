#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A client that knows nothing of tapstack: plain.py ADDRESS PORT <request

Under `tapstack run` its connection is the daemon's:

    echo hello | tapstack run -- python3 plain.py 10.77.0.1 7
"""

import shutil
import socket
import sys

with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as s:
    print("from", s.getsockname()[0], file=sys.stderr)
    s.sendall(sys.stdin.buffer.read())
    s.shutdown(socket.SHUT_WR)
    with s.makefile("rb") as answer:
        shutil.copyfileobj(answer, sys.stdout.buffer)
