#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The socket module on a descriptor of libtapstack: descriptor.py ADDRESS PORT <request

Only this connection is the daemon's; all others of the program stay the kernel's. The descriptor is
an AF_UNIX socket to the kernel, so send, recv, settimeout, selectors and asyncio work on it as they
are. Addresses and TCP's options are asked for by the library: getpeername() of the socket object
would say the name of the pair.
"""

import ctypes
import os
import shutil
import socket
import struct
import sys

library = ctypes.CDLL("libtapstack.so.0", use_errno=True)


def check(result):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def connect(address, port):
    """A connected socket object."""
    to = struct.pack("=H", socket.AF_INET) + struct.pack(">H4s8x", port, socket.inet_aton(address))
    fd = check(library.ts_socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC, 0))
    s = socket.socket(fileno=fd)
    try:
        check(library.ts_connect(fd, to, len(to)))
        on = ctypes.c_int(1)
        check(library.ts_setsockopt(fd, socket.IPPROTO_TCP, socket.TCP_NODELAY,
                                    ctypes.byref(on), ctypes.sizeof(on)))
    except OSError:
        s.close()
        raise
    return s


def local_address(s):
    """What getsockname() says of a kernel socket."""
    name, size = ctypes.create_string_buffer(16), ctypes.c_uint32(16)
    check(library.ts_getsockname(s.fileno(), name, ctypes.byref(size)))
    port, address = struct.unpack(">H4s", name.raw[2:8])
    return socket.inet_ntoa(address), port


with connect(sys.argv[1], int(sys.argv[2])) as s:
    print("from", local_address(s)[0], file=sys.stderr)
    s.sendall(sys.stdin.buffer.read())
    s.shutdown(socket.SHUT_WR)
    with s.makefile("rb") as answer:
        shutil.copyfileobj(answer, sys.stdout.buffer)
