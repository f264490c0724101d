#!/usr/bin/env python3
"""Times asyncio as bench_process times weft: /bin/true started and waited for."""

import asyncio
import resource
import time

ROUNDS = 5
COUNT = 300
AT_ONCE = 20


def own_cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def run_one():
    process = await asyncio.create_subprocess_exec("/bin/true")
    await process.wait()


async def serial():
    for _ in range(COUNT):
        await run_one()


async def at_once():
    semaphore = asyncio.Semaphore(AT_ONCE)

    async def limited():
        async with semaphore:
            await run_one()
    await asyncio.gather(*[limited() for _ in range(COUNT)])


async def measure(name, function):
    rounds = []
    cpu = own_cpu()
    for _ in range(ROUNDS):
        start = time.perf_counter()
        await function()
        rounds.append((time.perf_counter() - start) / COUNT)
    print(f"{name:<44} {min(rounds) * 1e6:9.1f} us")
    print(f"{'  own CPU':<44} {(own_cpu() - cpu) / COUNT / ROUNDS * 1e6:9.1f} us", flush=True)


async def main():
    # The watcher that a single-threaded program would choose on Linux.
    watcher = asyncio.PidfdChildWatcher()
    watcher.attach_loop(asyncio.get_running_loop())
    asyncio.set_child_watcher(watcher)
    await measure("asyncio: start and wait", serial)
    await measure("asyncio: 20 at once", at_once)


asyncio.run(main())
