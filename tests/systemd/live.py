#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""live.py peer | program [stay]: the two ends of a connection that is there when something happens to the daemon.

The peer, on the kernel's TCP, answers each line with itself. The program sends "up", waits for the answer, says
"up" (with "stay" once more, when /srv/go is there) and then what its further reads give. Both say how it ended for them.
"""

import errno
import os
import socket
import sys
import time

ADDRESS = (os.environ.get("PEER", "10.77.0.1"), 9000)


def say(*words):
    print(*words, flush=True)


def read(s):
    try:
        return repr(s.recv(4096))
    except OSError as e:
        return errno.errorcode[e.errno]


def program():
    with socket.create_connection(ADDRESS) as s:
        s.sendall(b"up\n")
        assert s.recv(4096) == b"up\n"
        say("up")
        if "stay" in sys.argv:
            while not os.path.exists("/srv/go"):
                time.sleep(0.05)
            s.sendall(b"up\n")
            assert s.recv(4096) == b"up\n"
            say("again")
        say("read", read(s))
        say("read", read(s))


def peer():
    with socket.create_server(("0.0.0.0", ADDRESS[1])) as listener:
        say("listening")
        while True:
            s, _ = listener.accept()
            with s:
                while (got := read(s)) == repr(b"up\n"):
                    s.sendall(b"up\n")
                say("end", got)


{"peer": peer, "program": program}[sys.argv[1]]()
