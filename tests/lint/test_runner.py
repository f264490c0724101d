"""The runner itself: broken.c fails in every way there is, and each must be reported."""

import functools
import os
import re

import tap

BROKEN = os.path.join(tap.BUILD, "tests", "lint", "broken_tests")

FAILURES = {
    "fails_an_assertion": r"shown\n.*broken\.c:\d+: 1 \+ 1: expected == 3, actual 2",
    "compares_strings": r'expected \(1 bytes\): "b"\n.*actual   \(3 bytes\): "a\\r\\n"',
    "compares_bytes": r"byte 2 of 4 differs",
    "expects_success": r"expected success, actual WEFT_EDNS",
    "expects_an_error": r"expected ENOMEM \(-12\), actual 0",
    "leaks_a_descriptor": r"descriptor 3 was left open: /dev/null",
    "closes_a_descriptor": r"descriptor 0 was closed",
    "leaks_a_block": r"allocated blocks: 0 before the test, 1 after it",
    "crashes": r"died of signal 11|exit status",
    "exits_by_itself": r"exit status 3",
    "hangs": r"stopped after its time limit of 1 s",
    "hangs_in_a_task": r"main #\d+: waits for sleep (.*\n)+?.*stopped after its time limit of 1 s",
    "leaves_a_folder_that_the_runner_removes": r"folder (/\S+)",
}


@functools.cache
def run_all():
    return tap.run([BROKEN], env={**os.environ, "WEFT_TEST_SLOW": "1"})


@tap.test
def runner_reports_every_kind_of_failure():
    done = run_all()
    tap.equal(done.returncode, 1, "exit status")
    out, err = done.stdout.decode(), done.stderr.decode()
    tap.has(out, "1..16\n")
    for name, pattern in FAILURES.items():
        if not re.search(rf"^not ok \d+ {name}$", out, re.M):
            raise AssertionError(f"{name} is not reported as failed:\n{out}")
        section = err.split(f"{name} failed:\n")[1]
        if not re.search(pattern, section, re.S):
            raise AssertionError(f"{name}: no {pattern!r} in:\n{section}")
    folder = re.search(FAILURES["leaves_a_folder_that_the_runner_removes"], err).group(1)
    tap.equal(os.path.exists(folder), False, "the test's folder exists")


@tap.test
def runner_reports_passed_and_skipped_tests_without_their_output():
    out = run_all().stdout.decode()
    tap.has(out, "ok 1 passes_in_silence\n")
    tap.has(out, "ok 2 skips # SKIP reason 7\n")
    tap.has(out, "ok 16 fork_gives_output_and_status\n")
    tap.equal("not shown" in out, False, "output of a passed test is shown")


@tap.test
def runner_runs_one_test_by_name_and_lists_all():
    done = tap.run([BROKEN, "passes_in_silence"])
    tap.equal((done.returncode, done.stdout), (0, b"not shown\npasses_in_silence passed\n"))
    tap.equal(tap.run([BROKEN, "skips"]).returncode, 77)
    tap.equal(tap.run([BROKEN, "fails_an_assertion"]).returncode, 1)
    tap.equal(tap.run([BROKEN, "no_such_test"]).returncode, 2)
    tap.equal(len(tap.run([BROKEN, "-l"]).stdout.split()), 16)


tap.main()
