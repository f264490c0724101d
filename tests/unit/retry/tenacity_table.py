#!/usr/bin/env python3
"""The waits and stops of tenacity, number by number: prints tests/unit/retry/tenacity.tsv.

Random waits are asked for both ends of what they draw. Where a formula has changed since the
installed version, the row says what newer ones answer.
"""

import random
from types import SimpleNamespace

import tenacity

ATTEMPTS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 20, 50)


class Ends(random.Random):
    """random, but only the least or the most of it."""
    end = 0

    def random(self):
        return float(self.end)

    def uniform(self, a, b):
        return b if self.end else a


ENDS = Ends()
tenacity.wait.random = ENDS


def state(number=1, elapsed=0, upcoming=0):
    return SimpleNamespace(attempt_number=number, seconds_since_start=elapsed,
                           upcoming_sleep=upcoming, outcome=None)


def ns(seconds):
    return round(seconds * 1e9)


def wait_rows(name, wait, **parameters):
    fields = "\t".join(str(parameters.get(key, 0)) for key in ("multiplier", "min", "max", "jitter", "base"))
    for number in ATTEMPTS:
        ends = []
        for ENDS.end in (0, 1):
            ends.append(ns(wait(state(number))))
        print(f"wait\t{name}\t{fields}\t{number}\t{ends[0]}\t{ends[1]}")


def waits():
    t = tenacity
    wait_rows("none", t.wait_none())
    for seconds in (0, 0.25, 3):
        wait_rows("fixed", t.wait_fixed(seconds), min=seconds)
    for low, high in ((0, 1), (1, 20), (2.5, 2.75)):
        wait_rows("random", t.wait_random(low, high), min=low, max=high)
    for start, step, high in ((0, 100, 1000), (1, 2, 10), (0.5, 0.125, 3600), (500, 100, 1000)):
        wait_rows("incrementing", t.wait_incrementing(start, step, high), min=start,
                  multiplier=step, max=high)
    for multiplier, low, high, base in ((1, 0, 4e6, 2), (1, 4, 10, 2), (1, 10, 5, 2), (0.1, 0, 5, 2),
                                        (0.5, 1, 60, 3), (2, 0, 600, 1.5), (3, 3, 3, 10)):
        wait_rows("exponential", t.wait_exponential(multiplier, high, base, low),
                  multiplier=multiplier, min=low, max=high, base=base)
    for multiplier, high, base in ((1, 4e6, 2), (0.5, 60, 2), (0.1, 20, 2), (2, 30, 3)):
        wait_rows("random_exponential", t.wait_random_exponential(multiplier, high, base),
                  multiplier=multiplier, max=high, base=base)
    for initial, high, base, jitter in ((1, 4e6, 2, 1), (0.1, 5, 2, 1), (1, 60, 2, 2), (2, 10, 3, 0.5)):
        wait_rows("exponential_jitter", t.wait_exponential_jitter(initial, high, base, jitter),
                  multiplier=initial, max=high, base=base, jitter=jitter)
    # "chain" and "sum" stand for these parts, in the test as here.
    parts = [t.wait_fixed(3), t.wait_random(1, 2), t.wait_exponential(1, 10, 2, 2)]
    wait_rows("chain", t.wait_chain(*parts))
    wait_rows("sum", parts[0] + parts[1] + parts[2])
    wait_rows("combine", t.wait_combine(*parts))


def stop_row(name, stop, limit, number, elapsed, upcoming):
    answer = int(bool(stop(state(number, elapsed, upcoming))))
    print(f"stop\t{name}\t{limit}\t{number}\t{elapsed}\t{upcoming}\t{answer}")


def before_delay(limit):
    newer = getattr(tenacity, "stop_before_delay", None)
    if newer is not None:
        return newer(limit)
    return lambda now: now.seconds_since_start + now.upcoming_sleep >= limit


def stops():
    t = tenacity
    after, before = t.stop_after_delay(10), before_delay(10)
    three = t.stop_after_attempt(3)
    for number in (1, 2, 3, 4, 1000):
        stop_row("never", t.stop_never, 0, number, 1e6, 1e6)
        stop_row("attempts", three, 3, number, 1e6, 1e6)
        stop_row("attempts", t.stop_after_attempt(1), 1, number, 0, 0)
    for elapsed in (0, 4, 9.999999999, 10, 10.5, 1000):
        for upcoming in (0, 5.5, 6, 10, 100):
            stop_row("after", after, 10, 1, elapsed, upcoming)
            stop_row("before", before, 10, 1, elapsed, upcoming)
    # "any" and "all" are of attempts 3 and after 10 s.
    for number in (2, 3):
        for elapsed in (9, 10):
            stop_row("any", t.stop_any(three, after), 0, number, elapsed, 1)
            stop_row("all", t.stop_all(three, after), 0, number, elapsed, 1)
            stop_row("any", three | after, 0, number, elapsed, 1)
            stop_row("all", three & after, 0, number, elapsed, 1)


if __name__ == "__main__":
    print("# Written by tenacity_table.py from tenacity itself; seconds in, nanoseconds out.")
    print("# wait\tkind\tmultiplier\tmin\tmax\tjitter\tbase\tattempt\tleast\tmost")
    print("# stop\tkind\tlimit\tattempt\telapsed\tupcoming\tstops")
    waits()
    stops()
