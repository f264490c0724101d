"""tools/run_tests.py counts right; tools/setup.sh says what is missing and what it does."""

import json
import os
import shutil
import sys

import tap

sys.path.insert(0, os.path.join(tap.SOURCE, "tools"))
import run_tests  # pylint: disable=wrong-import-position

PROGRAMS = {
    "dpkg-query": 'cat "$0.txt"',
    "id": 'echo "$FAKE_ID"',
    "apt-get": 'echo "apt-get $*" >>"$0.log"; exit "${APT_STATUS:-0}"',
    "meson": 'echo "meson $*" >>"$0.log"; mkdir -p build; touch build/build.ninja',
}


def count(stdout, result="OK"):
    return run_tests.count({"stdout": stdout, "result": result})


@tap.test
def run_tests_counts_each_test_of_a_program():
    tap.equal(count("1..3\nok 1 a\nok 2 b # SKIP why\nnot ok 3 c\n", "FAIL"), (1, 1, 1))
    tap.equal(count("1..2\nok 1 a\nok 2 b\n"), (2, 0, 0))
    tap.equal(count("1..1\nok 1 a # SKIP why\n", "SKIP"), (0, 0, 1))


@tap.test
def run_tests_counts_a_program_that_broke_off_as_failed():
    tap.equal(count("1..2\nok 1 a\n", "ERROR"), (1, 1, 0))
    tap.equal(count("1..2\nok 1 a\n", "TIMEOUT"), (1, 1, 0))
    tap.equal(count("", "ERROR"), (0, 1, 0))


@tap.test
def run_tests_counts_a_program_without_tap_as_one_test():
    tap.equal(count("no TAP\n"), (1, 0, 0))
    tap.equal(count("", "SKIP"), (0, 0, 1))
    tap.equal(count("", "FAIL"), (0, 1, 0))


@tap.test
def run_tests_sums_a_tally():
    with open("tally", "w", encoding="utf-8") as file:
        for row in ([3, 0, 1], [4, 2, 0]):
            file.write(json.dumps(row) + "\n")
    tool = os.path.join(tap.SOURCE, "tools", "run_tests.py")
    done = tap.run(["python3", tool, "--sum", "tally"])
    tap.equal((done.returncode, done.stdout), (1, b"7 passed, 2 failed, 1 skipped\n"))


def setup(absent, user="0", **env):
    """Runs a copy of setup.sh on a machine where the packages in absent are missing."""
    os.makedirs("tools", exist_ok=True)
    os.makedirs("bin", exist_ok=True)
    script = shutil.copy(os.path.join(tap.SOURCE, "tools", "setup.sh"), "tools/setup.sh")
    with open(script, encoding="utf-8") as file:
        words = file.read().split('packages="')[1].split('"')[0].split()
    for name, text in PROGRAMS.items():
        with open(f"bin/{name}", "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\n{text}\n")
        os.chmod(f"bin/{name}", 0o755)
    with open("bin/dpkg-query.txt", "w", encoding="utf-8") as file:
        file.writelines(f"installed {word} \n" for word in words if word not in absent)
    path = os.path.abspath("bin") + ":" + os.environ["PATH"]
    done = tap.run([script], env={**os.environ, "PATH": path, "FAKE_ID": user, **env})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def log(name):
    path = f"bin/{name}.log"
    return open(path, encoding="utf-8").read() if os.path.exists(path) else ""


@tap.test
def setup_on_a_ready_machine_configures_once_and_is_silent_then():
    tap.equal(setup([]), (0, "setup: meson setup build\n", ""))
    tap.equal(setup([]), (0, "", ""))
    tap.equal(log("meson"), "meson setup build\n")
    tap.equal(log("apt-get"), "")


@tap.test
def setup_installs_what_is_missing_as_root():
    line = "apt-get install -y --no-install-recommends libjansson-dev liburing-dev"
    status, out, _ = setup(["libjansson-dev", "liburing-dev"])
    tap.equal((status, out), (0, f"setup: {line}\nsetup: meson setup build\n"))
    tap.equal(log("apt-get"), f"apt-get update\n{line}\n")


@tap.test
def setup_without_root_prints_the_line_and_fails():
    status, _, err = setup(["libjansson-dev"], user="1000")
    tap.equal(status, 1)
    tap.has(err, "    sudo apt-get install -y --no-install-recommends libjansson-dev\n")
    tap.equal(log("apt-get") + log("meson"), "")


@tap.test
def setup_with_a_failing_apt_prints_the_line_and_fails():
    status, _, err = setup(["libjansson-dev"], APT_STATUS="100")
    tap.equal(status, 1)
    tap.has(err, "    apt-get update && apt-get install -y --no-install-recommends libjansson-dev\n")
    tap.equal(log("meson"), "")


tap.main()
