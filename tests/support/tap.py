"""Tests in Python: TAP out, a time limit and a folder of its own for each test.

    import tap

    @tap.test
    def get_of_a_refused_port_exits_with_4():
        done = tap.run([tap.weft(), "http://127.0.0.1:1/"])
        tap.equal(done.returncode, 4)

    tap.main()
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback

SOURCE = os.environ.get("WEFT_SOURCE_ROOT", os.getcwd())
BUILD = os.environ.get("WEFT_BUILD_ROOT", os.path.join(SOURCE, "build"))
SLOW = int(os.environ.get("WEFT_TEST_SLOW", "1"))
_tests = []


class Skip(Exception):
    """Raised by skip()."""


def test(function=None, *, limit=20):
    """Registers a test: @test, or @test(limit=60) with another limit in seconds."""
    if function is None:
        return lambda f: test(f, limit=limit)
    _tests.append((function, limit))
    return function


def skip(reason):
    raise Skip(reason)


def need(program):
    """The path of a program, or a skip."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    return path or skip(f"{program} is not installed")


def weft():
    """The weft program."""
    path = os.path.join(BUILD, "src", "cli", "weft")
    return path if os.path.exists(path) else skip("the weft program was not built")


def run(command, **options):
    """subprocess.run with output captured, as bytes."""
    return subprocess.run([str(word) for word in command], capture_output=True, check=False,
                          stdin=options.pop("stdin", subprocess.DEVNULL), **options)


def equal(actual, expected, what="value"):
    if actual != expected:
        raise AssertionError(f"{what}: expected {expected!r}, actual {actual!r}")


def has(text, part, what="text"):
    if part not in text:
        raise AssertionError(f"{what}: {part!r} is not in {text!r}")


def _on_alarm(_signum, _frame):
    raise TimeoutError("the time limit is over")


def _run_one(number, function, limit):
    folder = tempfile.mkdtemp(prefix="weft-test-")
    before = os.getcwd()
    os.chdir(folder)
    signal.alarm(limit * SLOW)
    try:
        function()
        print(f"ok {number} {function.__name__}", flush=True)
        return True
    except Skip as why:
        print(f"ok {number} {function.__name__} # SKIP {why}", flush=True)
        return True
    except Exception:  # pylint: disable=broad-except
        signal.alarm(0)
        print(f"not ok {number} {function.__name__}", flush=True)
        print(f"{function.__name__} failed:\n{traceback.format_exc()}", file=sys.stderr)
        return False
    finally:
        signal.alarm(0)
        os.chdir(before)
        shutil.rmtree(folder, ignore_errors=True)


def main():
    """Runs all tests, or those named on the command line."""
    wanted = sys.argv[1:]
    chosen = [t for t in _tests if not wanted or t[0].__name__ in wanted]
    signal.signal(signal.SIGALRM, _on_alarm)
    print(f"1..{len(chosen)}", flush=True)
    results = [_run_one(i + 1, *chosen[i]) for i in range(len(chosen))]
    sys.exit(0 if all(results) else 1)
