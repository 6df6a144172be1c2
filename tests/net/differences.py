#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""differences.py DAEMON_PID: the rows of docs/differences.md that need a whole daemon.

The same python program runs twice, on a kernel socket and under `tapstack run`; each case says what
either prints, so that a row is wrong as soon as one of the two columns is.
"""

import errno
import os
import signal
import socket
import subprocess
import sys

from endings import DAEMON, PEER, PRELUDE, Listener, Program, reset, result

KEPT = []
MORE = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def unspec(s):
    r = libc.connect(s.fileno(), bytes(16), 16)
    return r if r == 0 else errno.errorcode[ctypes.get_errno()]
"""


class KernelProgram(Program):
    """The same program on the kernel's TCP."""

    def __init__(self, code):  # pylint: disable=super-init-not-called
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen([sys.executable, "-c", PRELUDE + code],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.buffer = b""


def both(name, code, kernel, here, peer=lambda: None):
    """What the program prints, on the kernel and here; `peer` plays the other side meanwhile."""
    for kind, wanted, where in ((KernelProgram, kernel, "kernel"), (Program, here, "here")):
        p = kind(MORE + code)
        peer()
        result(f"{name} ({where})", wanted, p.line())
        p.end()


def first_write_after_a_reset():
    listener = Listener()
    both("the first write after a reset", f"""
s = connect({listener.port})
p = select.poll()
p.register(s, 0)
p.poll(5000)
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
say(attempt(os.write, s.fileno(), b'x'), attempt(os.write, s.fileno(), b'x'))""",
         "ECONNRESET EPIPE", "EPIPE EPIPE", lambda: reset(listener.accept()))


def timeout_in_mid_stream():
    """A second address of the peer goes away. (The kernel would talk to its own address.)"""
    subprocess.run(["ip", "addr", "add", "10.77.0.3/24", "dev", "ts0"], check=True)
    with socket.create_server(("10.77.0.3", 0)) as listener:
        p = Program(f"""
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000)
s.connect(('10.77.0.3', {listener.getsockname()[1]}))
say('up')
sys.stdin.readline()
s.send(b'x')
say(attempt(os.read, s.fileno(), 1),
    errno.errorcode[s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)])""")
        conn, _ = listener.accept()
        p.line()
        subprocess.run(["ip", "addr", "del", "10.77.0.3/24", "dev", "ts0"], check=True)
        p.go()
        result("a time-out in mid-stream is ECONNRESET to read(2), SO_ERROR knows better",
               "ECONNRESET ETIMEDOUT", p.line())
        p.end()
        conn.close()


def connect_to_nobody():
    listener = Listener()
    both("connect to AF_UNSPEC", f"""
s = connect({listener.port})
say(unspec(s), attempt(s.getpeername) == 'ENOTCONN')""",
         "0 True", "0 True", listener.accept)


def fast_open():
    listener = Listener()
    both("MSG_FASTOPEN", f"""
s = socket.socket()
say(attempt(s.sendto, b'x', socket.MSG_FASTOPEN, (PEER, {listener.port})))""", "1", "1")


def native_ipv6():
    """The kernel's address is on its loopback interface, but it is not ::1."""
    subprocess.run(["ip", "addr", "add", "fd77::1/128", "dev", "lo", "nodad"], check=True)
    with socket.create_server(("fd77::1", 0), family=socket.AF_INET6) as listener:
        both("a native IPv6 destination", f"""
s = socket.socket(socket.AF_INET6)
say(attempt(s.connect, ('fd77::1', {listener.getsockname()[1]})))""", "None", "ENETUNREACH")


def greet(sock):
    """Accept and say something; the connection stays open until the program has seen it."""
    conn, _ = sock.accept()
    conn.send(b"hello")
    KEPT.append(conn)


def epoll_of_a_replaced_socket():
    """The socket is another one after a failed connect, and towards loopback."""
    code = """
s = socket.socket()
e = select.epoll()
e.register(s, select.EPOLLIN | select.EPOLLET)
for port in REFUSED:
    attempt(s.connect, (PEER, port))
while e.poll(.2):
    pass
s.connect(TO)
say([m for _, m in e.poll(1)], select.select([s], [], [], 5)[0] == [s])"""
    with socket.socket() as refused, socket.create_server(("127.0.0.1", 0)) as local:
        listener = Listener()
        refused.bind((PEER, 0))
        both("epoll after a failed connect", f"""
REFUSED, TO = [{refused.getsockname()[1]}], (PEER, {listener.port})""" + code,
             "[1] True", "[1] True", lambda: greet(listener.sock))
        both("epoll of a socket that goes to loopback", f"""
REFUSED, TO = [], ('127.0.0.1', {local.getsockname()[1]})""" + code,
             "[1] True", "[1] True", lambda: greet(local))


def accept_after_the_daemon_died():
    p = Program("""
s = socket.create_server(('', 9000))
s.setblocking(False)
say(attempt(s.accept))
sys.stdin.readline()
p = select.poll()
p.register(s, select.POLLIN)
seen = [bool(p.poll(5000)) and attempt(s.accept) for _ in range(3)]
say(*seen)""")
    result("no connection, no accept", "EAGAIN", p.line())
    os.kill(DAEMON, signal.SIGKILL)
    p.go()
    result("accept after the daemon died: ENETDOWN, and readable until there is one again",
           "ENETDOWN ENETDOWN ENETDOWN", p.line())
    p.end()


def main():
    first_write_after_a_reset()
    timeout_in_mid_stream()
    connect_to_nobody()
    fast_open()
    native_ipv6()
    epoll_of_a_replaced_socket()
    accept_after_the_daemon_died()
    result("all cases ran", True, True)


if __name__ == "__main__":
    main()
