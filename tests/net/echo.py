#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""echo.py server ADDRESS PORT | client ADDRESS PORT: asyncio at both ends.

The client sends a megabyte on each of 20 connections at once and compares what comes back.
"""

import asyncio
import os
import sys

SIZE = 1 << 20


async def echo(reader, writer):
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def one(address, port):
    sent, got = os.urandom(SIZE), bytearray()
    reader, writer = await asyncio.open_connection(address, port)

    async def send():
        writer.write(sent)
        await writer.drain()
        writer.write_eof()

    sending = asyncio.create_task(send())
    while data := await reader.read(1 << 16):
        got += data
    await sending
    writer.close()
    await writer.wait_closed()
    return bytes(got) == sent


async def client(address, port):
    good = await asyncio.gather(*(one(address, port) for _ in range(20)))
    return all(good)


async def server(address, port):
    listener = await asyncio.start_server(echo, address, port, backlog=50)
    print("listening", flush=True)
    async with listener:
        await listener.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "server":
        asyncio.run(server(sys.argv[2], int(sys.argv[3])))
    else:
        sys.exit(0 if asyncio.run(client(sys.argv[2], int(sys.argv[3]))) else 1)
