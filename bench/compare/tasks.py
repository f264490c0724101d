#!/usr/bin/env python3
"""Python's rows of compare/runtime.py: tasks.py asyncio|uvloop|trio ROUNDS|serve."""

import asyncio
import sys
import time


def row(key, best, count, unit=1):
    print(f"{key} {best / count / unit:.1f}", flush=True)


async def timed(function, count, rounds):
    best = None
    for _ in range(rounds):
        start = time.perf_counter_ns()
        await function(count)
        took = time.perf_counter_ns() - start
        best = took if best is None else min(best, took)
    return best


def status_kib():
    with open("/proc/self/status", encoding="ascii") as status:
        return sum(int(line.split()[1]) for line in status if line.startswith(("VmRSS:", "VmPTE:")))


def nothing():
    return 0


class Asyncio:
    async def yields(self, count):
        async def half():
            for _ in range(count // 2):
                await asyncio.sleep(0)
        await asyncio.gather(half(), half())

    async def spawns(self, count):
        async def child():
            return 0
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(child())

    async def messages(self, count):
        queue = asyncio.Queue(64)

        async def send():
            for i in range(count):
                await queue.put(i)

        async def receive():
            for _ in range(count):
                await queue.get()
        await asyncio.gather(send(), receive())

    async def scopes(self, count):
        for _ in range(count):
            async with asyncio.timeout(5):
                pass

    async def skynet(self, size, number=0):
        if size == 1:
            return number
        async with asyncio.TaskGroup() as group:
            part = size // 10
            tasks = [group.create_task(self.skynet(part, number + i * part)) for i in range(10)]
        return sum(task.result() for task in tasks)

    async def offloads(self, count):
        for _ in range(count):
            await asyncio.to_thread(nothing)

    async def sleepers(self, count):
        tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(count)]
        await asyncio.sleep(0)
        return tasks

    async def serve(self, port=0):
        async def echo(reader, writer):
            try:
                while data := await reader.read(4096):
                    writer.write(data)
                    await writer.drain()
            except ConnectionError:
                pass
            writer.close()
        return await asyncio.start_server(echo, "127.0.0.1", port)

    async def echoes(self, count):
        server = await self.serve()
        port = server.sockets[0].getsockname()[1]

        async def ask():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            for _ in range(count // 50):
                writer.write(b"x" * 64)
                await reader.readexactly(64)
            writer.close()
        await asyncio.gather(*(ask() for _ in range(50)))
        server.close()

    async def serve_until_killed(self):
        server = await self.serve()
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


class Trio:
    def __init__(self):
        import trio
        self.trio = trio

    async def yields(self, count):
        async def half():
            for _ in range(count // 2):
                await self.trio.sleep(0)
        async with self.trio.open_nursery() as nursery:
            nursery.start_soon(half)
            nursery.start_soon(half)

    async def spawns(self, count):
        async def child():
            return 0
        async with self.trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(child)

    async def rendezvous(self, count):
        await self.messages(count, 0)

    async def messages(self, count, capacity=64):
        sender, receiver = self.trio.open_memory_channel(capacity)

        async def send():
            for i in range(count):
                await sender.send(i)

        async def receive():
            for _ in range(count):
                await receiver.receive()
        async with self.trio.open_nursery() as nursery:
            nursery.start_soon(send)
            nursery.start_soon(receive)

    async def scopes(self, count):
        for _ in range(count):
            with self.trio.move_on_after(5):
                pass

    async def skynet(self, size, number=0, results=None):
        if size == 1:
            results.append(number)
            return
        children = []
        async with self.trio.open_nursery() as nursery:
            part = size // 10
            for i in range(10):
                nursery.start_soon(self.skynet, part, number + i * part, children)
        if results is not None:
            results.append(sum(children))

    async def offloads(self, count):
        for _ in range(count):
            await self.trio.to_thread.run_sync(nothing)

    async def echo(self, stream):
        async with stream:
            try:
                while data := await stream.receive_some(4096):
                    await stream.send_all(data)
            except self.trio.BrokenResourceError:
                pass

    async def echoes(self, count):
        listeners = await self.trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listeners[0].socket.getsockname()[1]

        async def ask():
            stream = await self.trio.open_tcp_stream("127.0.0.1", port)
            async with stream:
                for _ in range(count // 50):
                    await stream.send_all(b"x" * 64)
                    left = 64
                    while left > 0:
                        left -= len(await stream.receive_some(left))
        async with self.trio.open_nursery() as server:
            server.start_soon(self.trio.serve_listeners, self.echo, listeners)
            async with self.trio.open_nursery() as clients:
                for _ in range(50):
                    clients.start_soon(ask)
            server.cancel_scope.cancel()

    async def serve_until_killed(self):
        listeners = await self.trio.open_tcp_listeners(0, host="127.0.0.1")
        print(listeners[0].socket.getsockname()[1], flush=True)
        await self.trio.serve_listeners(self.echo, listeners)


async def measure(peer, rounds):
    if isinstance(peer, Trio):
        row("rendezvous_ns", await timed(peer.rendezvous, 40000, rounds), 40000, 1)
    for key, function, count, unit in [
            ("yield_ns", peer.yields, 40000, 1), ("spawn_ns", peer.spawns, 10000, 1),
            ("message_ns", peer.messages, 40000, 1), ("scope_ns", peer.scopes, 20000, 1),
            ("skynet_ns", peer.skynet, 10000, 1), ("offload_us", peer.offloads, 500, 1e3),
            ("echo_us", peer.echoes, 5000, 1e3)]:
        row(key, await timed(function, count, rounds), count, unit)
    count = 20000
    before = status_kib()
    start = time.perf_counter_ns()
    if isinstance(peer, Trio):
        async with peer.trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(peer.trio.sleep, 3600)
            await peer.trio.sleep(0)
            took, after = time.perf_counter_ns() - start, status_kib()
            nursery.cancel_scope.cancel()
    else:
        tasks = await peer.sleepers(count)
        took, after = time.perf_counter_ns() - start, status_kib()
        for task in tasks:
            task.cancel()
    row("sleeper_us", took, count, 1e3)
    row("sleeper_bytes", (after - before) * 1024, count)


def main():
    name, what = sys.argv[1:]
    peer = Trio() if name == "trio" else Asyncio()

    async def body():
        if what == "serve":
            await peer.serve_until_killed()
        else:
            await measure(peer, int(what))
    if name == "trio":
        peer.trio.run(body)
        return
    if name == "uvloop":
        import uvloop
        uvloop.install()
    asyncio.run(body())


if __name__ == "__main__":
    main()
