#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ping.py ADDRESS: one ICMP echo request; exit status 0 if the reply carries the same bytes."""

import os
import socket
import struct
import sys


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def main():
    s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    s.settimeout(3)
    body = struct.pack("!HH", os.getpid() & 0xffff, 1) + os.urandom(56)
    s.sendto(struct.pack("!BBH", 8, 0, checksum(b"\x08\x00\x00\x00" + body)) + body,
             (sys.argv[1], 0))
    while True:
        packet = s.recv(2048)
        message = packet[(packet[0] & 15) * 4:]
        if message[0] == 0 and message[4:] == body:
            return 0


if __name__ == "__main__":
    sys.exit(main())
