#!/usr/bin/env python3
"""Times tenacity, asyncio.Semaphore and aiolimiter as bench_retry and bench_limit time weft."""

import asyncio
import importlib.metadata
import time

ROUNDS = 5
COUNT = 20000
FLOOD = 40000
RATE = 20000
WORKERS = 1000


def row(name, value, unit):
    print(f"{name:<60} {value:>9} {unit}", flush=True)


def row_best(name, rounds, count):
    row(name, f"{min(rounds) / count:.1f}", "ns")


def load(name):
    """The module and its name with version; a row that names it, and None, if there is none."""
    try:
        return __import__(name), f"{name} {importlib.metadata.version(name)}"
    except ImportError:
        row(f"{name}: all", "not", "installed")
        return None, None


def timed(function):
    start = time.perf_counter_ns()
    function()
    return time.perf_counter_ns() - start


async def timed_async(function):
    start = time.perf_counter_ns()
    await function()
    return time.perf_counter_ns() - start


def repeat(function):
    def loop():
        for _ in range(COUNT):
            function()
    return [timed(loop) for _ in range(ROUNDS)]


async def repeat_async(function):
    async def loop():
        for _ in range(COUNT):
            await function()
    return [await timed_async(loop) for _ in range(ROUNDS)]


def succeed():
    return 0


async def succeed_async():
    return 0


def measure_tenacity():
    tenacity, name = load("tenacity")
    if tenacity is None:
        return
    policy = {"stop": tenacity.stop_after_attempt(10),
              "wait": tenacity.wait_random_exponential(multiplier=0.1, max=5)}

    def block():
        for attempt in tenacity.Retrying(**policy):
            with attempt:
                succeed()

    row_best("python: a call without retry", repeat(succeed), COUNT)
    row_best(f"{name}: @retry, success at the first attempt",
             repeat(tenacity.retry(**policy)(succeed)), COUNT)
    row_best(f"{name}: @retry of a coroutine, success",
             asyncio.run(repeat_async(tenacity.retry(**policy)(succeed_async))), COUNT)
    row_best(f"{name}: retry as a block, success", repeat(block), COUNT)


async def measure_semaphore():
    semaphore = asyncio.Semaphore(10)

    async def one():
        await semaphore.acquire()
        semaphore.release()

    row_best("asyncio.Semaphore: acquire and release", await repeat_async(one), COUNT)


async def flood(name, limiter, ideal):
    left = FLOOD

    async def worker():
        nonlocal left
        while left > 0:
            left -= 1
            await limiter.acquire()

    took = await timed_async(lambda: asyncio.gather(*[worker() for _ in range(WORKERS)]))
    row(name, f"{took / 1e6:.1f}", "ms")
    row("  off the ideal by", f"{(took / 1e9 / ideal - 1) * 100:+.3f}", "%")


async def measure_aiolimiter():
    aiolimiter, name = load("aiolimiter")
    if aiolimiter is None:
        return
    limiter = aiolimiter.AsyncLimiter(4e9, 1)
    row_best(f"{name}: acquire", await repeat_async(limiter.acquire), COUNT)
    title = "40,000 at 20,000 a second, 1,000 tasks"
    await flood(f"{name}: {title}", aiolimiter.AsyncLimiter(1, 1 / RATE),
                (FLOOD - 1) / RATE)
    # What it is told most often: its burst is then a whole second's worth.
    await flood(f"{name}: {title}, burst 20,000", aiolimiter.AsyncLimiter(RATE, 1),
                (FLOOD - RATE) / RATE)


def main():
    measure_tenacity()
    asyncio.run(measure_semaphore())
    asyncio.run(measure_aiolimiter())


if __name__ == "__main__":
    main()
