"""Every example runs, against weft's own server where it needs one, and prints what it should."""

import json
import os

import peers
import tap


def program(name):
    path = os.path.join(tap.BUILD, "examples", name)
    return path if os.path.exists(path) else tap.skip("the examples were not built")


def run(name, *arguments, expected=None):
    done = tap.run([program(name), *arguments])
    if done.returncode:
        raise AssertionError(f"{name} ended with {done.returncode}: {done.stderr.decode()}")
    if expected is not None:
        tap.equal(done.stdout.decode(), expected, "output")
    return done.stdout.decode()


@tap.test
def example_01_hello():
    run("01_hello", expected="Hello\nWorld\n")


@tap.test
def example_02_gather():
    lines = run("02_gather").splitlines()
    tap.has(lines[0], "one after the other: ")
    tap.has(lines[1], "at once: ")
    tap.equal(lines[2], "Data 1, Data 2, Data 3")


@tap.test
def example_03_get():
    with peers.echo() as base:
        status, body = run("03_get", base + "/json/7").split(" ", 1)
    tap.equal(status, "200")
    tap.equal(json.loads(body)["name"], "User 7")


@tap.test
def example_03_get_says_what_went_wrong():
    done = tap.run([program("03_get"), f"http://127.0.0.1:{peers.free_port()}/"])
    tap.equal(done.returncode, 1)
    tap.has(done.stderr.decode(), "refused")


@tap.test
def example_04_client():
    with peers.echo() as base:
        run("04_client", base, expected="".join(f"User {n}\n" for n in range(1, 11)))


@tap.test
def example_05_api():
    with peers.echo() as base:
        run("05_api", base,
            expected="3 users on page 2\ncreated Kim\nreport: all is well\n")


@tap.test
def example_06_files():
    run("06_files", expected="14 bytes\nline: one\nline: two\nline: three\n")


@tap.test
def example_07_retry():
    with peers.echo() as base:
        run("07_retry", base + "/retry/2",
            expected="call 1\ncall 2\ncall 3\n200 after 3 attempts\n")


@tap.test
def example_08_limits():
    with peers.echo() as base:
        run("08_limits", base,
            expected="with a semaphore: 100 of 100\nwith a limit: 100 of 100\n")
        stats = json.loads(tap.run([tap.weft(), base + "/stats"]).stdout)
    tap.equal(stats["requests"], 200)
    tap.equal(stats["highest"], 5)


@tap.test
def example_09_api_demo():
    with peers.echo() as base:
        run("09_api_demo", base, expected="100 URLs, 120 attempts\n")
        stats = json.loads(tap.run([tap.weft(), base + "/stats"]).stdout)
    tap.equal(stats["requests"], 120)
    tap.equal(len(os.listdir("users")), 100)
    with open("users/7.json", encoding="utf-8") as file:
        tap.equal(json.load(file)["name"], "User 7")
    with open("users/10.json", encoding="utf-8") as file:
        tap.equal(json.load(file)["attempts"], 3)


@tap.test
def example_10_threads():
    run("10_threads", expected="50%\n1229 primes below 10000\nsum of squares: 14\n")


@tap.test
def example_11_echo():
    run("11_echo", expected="echo: hello\necho: world\n")


@tap.test
def example_12_processes():
    run("12_processes", expected="echo one: one\nexpr 1 + 1: 2\n"
        "'echo 'no such thing' >&2; exit 3' ended with exit code 3: no such thing\n"
        "cat said: line 1\ncat said: line 2\nsleep 100: timed out after 0.05 s\n")


@tap.test
def example_13_signals():
    run("13_signals", expected="answer: ping\nstopped by SIGTERM\n")


@tap.test
def the_guide_to_unreliable_apis_runs():
    with peers.echo() as base:
        run("unreliable_naive", base + "/retry/2/naive", expected="200 after 3 calls\n")
        run("unreliable_policy", base + "/retry/2/policy",
            expected="attempt 1: 503\nattempt 2: 503\nattempt 3: 200\n")
        run("unreliable_budget", base + "/status/503",
            expected="400 calls, retries within the budget: yes, spared by the breaker: some\n")
        run("unreliable_limits", base, expected="30 of 30\n")


@tap.test
def what_fails_is_tested_on_a_network_in_memory():
    run("testing_retry", expected="5 attempts with waits of 13 s, 1000 times\n")
    run("testing_partition", expected="1000000 bytes, 2 requests, 22 s\n")


tap.main()
