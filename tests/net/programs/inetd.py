#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""inetd.py nowait|wait ADDRESS PORT PROGRAM [ARGUMENT]...: starts PROGRAM when somebody connects.

nowait: the connection is its standard input and output, one process each; wait: the listener is its
standard input, one process at a time.
"""

import select
import socket
import subprocess
import sys


def main():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((sys.argv[2], int(sys.argv[3])))
    listener.listen()
    print("listening", flush=True)
    while True:
        if sys.argv[1] == "wait":
            select.select([listener], [], [])
            subprocess.run(sys.argv[4:], stdin=listener, check=True)
            continue
        connection = listener.accept()[0]
        with connection:  # the program keeps its own
            subprocess.Popen(sys.argv[4:], stdin=connection, stdout=connection)  # pylint: disable=consider-using-with


if __name__ == "__main__":
    main()
