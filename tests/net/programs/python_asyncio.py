#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""python_asyncio.py server ADDRESS PORT FILE | CHECK ADDRESS PORT FILE: asyncio at both ends.

A connection's first line tells the server what to do: echo, send FILE (loop.sendfile), say the
SHA-256 of what comes, say whom it sees, reset, or close its listener for a while. CHECK is a
function of the client, below.
"""

import asyncio
import hashlib
import os
import socket
import struct
import sys

PIECE = 1 << 16


async def copy(reader, writer):
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()


class Server:
    def __init__(self, address, port, file):
        self.where, self.file, self.listener = (address, port), file, None

    async def listen(self):
        self.listener = await asyncio.start_server(self.serve, *self.where, backlog=300)

    async def serve(self, reader, writer):
        word = (await reader.readline()).decode().strip()
        await getattr(self, "do_" + word)(reader, writer)
        writer.close()
        try:
            await writer.wait_closed()
        except ConnectionError:
            pass

    async def do_echo(self, reader, writer):
        await copy(reader, writer)

    async def do_file(self, _, writer):
        with open(self.file, "rb") as file:
            await asyncio.get_running_loop().sendfile(writer.transport, file, fallback=False)

    async def do_sum(self, reader, writer):
        digest = hashlib.sha256()
        while data := await reader.read(PIECE):
            digest.update(data)
        writer.write(digest.hexdigest().encode())

    async def do_peer(self, _, writer):
        writer.write(writer.get_extra_info("peername")[0].encode())

    async def do_reset(self, reader, writer):
        await reader.readexactly(4)
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.transport.abort()

    async def do_close(self, reader, writer):
        """Nobody listens between the client's first line and its second; this connection lives."""
        self.listener.close()
        await self.listener.wait_closed()
        writer.write(b"closed\n")
        await reader.readline()
        await self.listen()
        writer.write(b"open\n")
        await copy(reader, writer)


async def server(address, port, file):
    await Server(address, port, file).listen()
    print("listening", flush=True)
    await asyncio.Event().wait()


# ------------------------------------------------------------------------------ the checks
async def ask(address, port, word):
    reader, writer = await asyncio.open_connection(address, port)
    writer.write(word.encode() + b"\n")
    return reader, writer


async def rest(reader, writer):
    data = await reader.read()
    writer.close()
    await writer.wait_closed()
    return data


async def one_echo(address, port, size):
    reader, writer = await ask(address, port, "echo")
    sent = os.urandom(size)

    async def send():
        writer.write(sent)
        await writer.drain()
        writer.write_eof()

    sending = asyncio.create_task(send())
    assert await rest(reader, writer) == sent
    await sending


async def many(address, port, _):
    """300 streams at once, 20 kB each, and two that fill every buffer."""
    sizes = [20000] * 300 + [4000000] * 2
    await asyncio.gather(*(one_echo(address, port, size) for size in sizes))


async def sendfile(address, port, name):
    """loop.sendfile at both ends, never by its fallback."""
    with open(name, "rb") as file:
        wanted = file.read()
        file.seek(0)
        reader, writer = await ask(address, port, "sum")
        await asyncio.get_running_loop().sendfile(writer.transport, file, fallback=False)
        writer.write_eof()
        assert (await rest(reader, writer)).decode() == hashlib.sha256(wanted).hexdigest()
    assert await rest(*await ask(address, port, "file")) == wanted


async def close(address, port, _):
    """A listener that is closed refuses, its connections live, and the port is free for the next."""
    reader, writer = await ask(address, port, "close")
    assert await reader.readline() == b"closed\n"
    for _ in range(3):
        try:
            await asyncio.open_connection(address, port)
            raise AssertionError("somebody listens")
        except ConnectionRefusedError:
            pass
    writer.write(b"again\n")
    assert await reader.readline() == b"open\n"
    await one_echo(address, port, 1000)
    writer.write(b"still there")
    writer.write_eof()
    assert await rest(reader, writer) == b"still there"


async def reset(address, port, _):
    """abort() with SO_LINGER 0 is a ConnectionResetError at the other end, also of a waiting read."""
    reader, writer = await ask(address, port, "reset")
    reading = asyncio.create_task(reader.read())
    writer.write(b"now!")
    try:
        await reading
        raise AssertionError("a clean end")
    except ConnectionResetError:
        writer.close()


async def giving_up(address, port, _):
    """wait_for ends a connect that nobody answers and a read that nothing comes for."""
    reader, writer = await ask(address, port, "echo")
    for waiting in (asyncio.open_connection(os.environ["HOLE"], 9), reader.read(1)):
        try:
            await asyncio.wait_for(waiting, 0.1)
            raise AssertionError("no time-out")
        except asyncio.TimeoutError:
            pass
    writer.write(b"x")  # the connection of the read that was given up is whole
    writer.write_eof()
    assert await rest(reader, writer) == b"x"


async def peer(address, port, _):
    print((await rest(*await ask(address, port, "peer"))).decode())


if __name__ == "__main__":
    asyncio.run(globals()[sys.argv[1]](sys.argv[2], int(sys.argv[3]), sys.argv[4]))
