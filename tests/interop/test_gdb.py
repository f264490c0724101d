"""tools/weft-gdb.py: the tasks of a program, running and in a core file."""

import glob
import os
import re
import resource
import subprocess

import tap

PROGRAM = os.path.join(tap.BUILD, "tests", "interop", "gdb_tasks")
SCRIPT = os.path.join(tap.SOURCE, "tools", "weft-gdb.py")


def gdb(*arguments):
    program = tap.need("gdb")
    done = tap.run([program, "-nx", "-batch", "-ex", "set debuginfod enabled off",
                    "-ex", "set pagination off", "-x", SCRIPT, *arguments])
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    if re.search(r"ptrace|Operation not permitted", text):
        tap.skip("gdb may not trace processes here")
    return text


def has_in_order(text, *patterns):
    at = 0
    for pattern in patterns:
        found = re.compile(pattern, re.M).search(text, at)
        if found is None:
            raise AssertionError(f"no {pattern!r}, or not in its place, in:\n{text}")
        at = found.end()


def check_tasks(text):
    has_in_order(text, r"^3 tasks of thread \d+ \(\w+\)$", r"^thread #0: waits for children$",
                 r"^    main #1: waits for children$", r"^      workers: 2 tasks$",
                 r"^        sleeper #2: waits for sleep$", r"^        stopper #3: running$")


def check_stacks(text):
    has_in_order(text, r"^main #1 of thread", r"in weft_group_wait", r"in main_task ",
                 r"^sleeper #2 of thread", r"in weft_sleep", r"in sleeps_inside \(", r"in sleeper \(",
                 r"^stopper #3 of thread", r"in stop_here \(", r"in stopper \(")


def live(*commands):
    return gdb("-ex", "run", *[word for one in commands for word in ("-ex", one)], PROGRAM)


@tap.test
def tasks_of_a_running_program():
    check_tasks(live("weft tasks"))


@tap.test
def stacks_of_a_running_program():
    check_stacks(live("weft bt all"))


@tap.test
def stack_of_one_task():
    text = live("weft bt 2")
    has_in_order(text, r"^sleeper #2 of thread", r"in sleeps_inside \(", r"in sleeper \(")
    if "stopper #3" in text:
        raise AssertionError(text)


@tap.test
def looking_changes_nothing():
    text = live("weft bt 2", "bt", "continue")
    has_in_order(text, r"^sleeper #2", r"^#0 .*", r"in stop_here \(", r"in stopper \(")


@tap.test
def task_that_is_not_there():
    has_in_order(live("weft bt 99"), "there is no task #99")


def allow_core():
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


# The kernel's, not gcore's: that one leaves out the stacks beside guard pages.
@tap.test
def core_file():
    tap.need("gdb")
    try:
        tap.run([PROGRAM], preexec_fn=allow_core)
    except (ValueError, subprocess.SubprocessError):
        tap.skip("core files are forbidden here")
    cores = glob.glob("core*")
    if not cores:
        tap.skip("the kernel put no core file here")
    text = gdb("-ex", "weft tasks", "-ex", "weft bt all", PROGRAM, cores[0])
    check_tasks(text)
    check_stacks(text)


tap.main()
