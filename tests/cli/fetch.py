"""weft fetch: lists, limits, retries, files, results, Ctrl-C."""

import json
import os
import signal
import subprocess
import time

import peers
import tap


def fetch(*words, **options):
    return tap.run([tap.weft(), "fetch", *words], **options)


def write_list(lines, name="urls.txt", end="\n"):
    with open(name, "w", encoding="utf-8", newline="") as file:
        file.write("".join(line + end for line in lines))
    return name


def results(name="results.jsonl"):
    with open(name, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def stats(base):
    return json.loads(tap.run([tap.weft(), base + "/stats"]).stdout)


@tap.test
def list_is_fetched_into_files():
    with peers.echo() as base:
        write_list([f"{base}/json/{n}" for n in range(1, 31)])
        done = fetch("-i", "urls.txt", "-d", "a/b", "--results", "results.jsonl")
    tap.equal(done.returncode, 0, done.stderr.decode())
    tap.equal(done.stdout, b"")
    tap.has(done.stderr.decode(), "30 done: 30 ok, 0 failed, 0 retries, ")
    tap.equal(sorted(os.listdir("a/b"), key=int), [str(n) for n in range(1, 31)])
    with open("a/b/7", encoding="utf-8") as file:
        tap.equal(json.load(file)["name"], "User 7")
    lines = results()
    tap.equal(sorted(line["url"] for line in lines),
              sorted(f"{base}/json/{n}" for n in range(1, 31)))
    one = next(line for line in lines if line["url"].endswith("/7"))
    tap.equal(sorted(one), ["attempts", "bytes", "elapsed_s", "error", "file", "ok", "status", "url"])
    tap.equal((one["status"], one["ok"], one["error"], one["attempts"], one["file"]),
              (200, True, None, 1, "7"))
    tap.equal(one["bytes"], os.path.getsize("a/b/7"))


@tap.test
def comments_blank_lines_and_crlf_are_skipped():
    with peers.echo() as base:
        write_list(["# comment", "", f"  {base}/json/1", "\t", f"{base}/json/2 "], end="\r\n")
        done = fetch("-i", "urls.txt", "-s", "--results", "-")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    tap.equal(sorted(line["url"] for line in lines), [f"{base}/json/1", f"{base}/json/2"])
    tap.equal((done.returncode, done.stderr), (0, b""))


@tap.test
def list_comes_from_stdin_and_words():
    with peers.echo() as base:
        done = fetch("-i", "-", f"{base}/json/1", "-d", "out",
                     stdin=None, input=f"{base}/json/2\n{base}/json/3".encode())
    tap.equal(done.returncode, 0, done.stderr.decode())
    tap.equal(sorted(os.listdir("out")), ["1", "2", "3"])


@tap.test
def names_are_harmless_and_never_taken_twice():
    with peers.echo() as base:
        write_list([f"{base}/anything/a.json", f"{base}/anything/b/a.json",
                    f"{base}/anything/%2e%2e%2fetc%2fpasswd", f"{base}/",
                    f"{base}/json/1\tout=named file.json", f"{base}/anything/.rc"])
        done = fetch("-i", "urls.txt", "-c", "1", "-d", "out")
        tap.equal(done.returncode, 0, done.stderr.decode())
    tap.equal(sorted(os.listdir("out")),
              ["_._etc_passwd", "_rc", "a-2.json", "a.json", "index", "named file.json"])
    tap.equal(sorted(os.listdir(".")), ["out", "urls.txt"])


@tap.test
def bad_lines_fail_alone():
    with peers.echo() as base:
        write_list([f"{base}/json/1\tout=../x", "http://a b/", "http://h:99999/", f"{base}/json/2"])
        done = fetch("-i", "urls.txt", "--results", "results.jsonl", "-d", "out")
    tap.equal(done.returncode, 1)
    tap.has(done.stderr.decode(), "4 done: 1 ok, 3 failed")
    tap.has(done.stderr.decode(), "out= wants a plain file name")
    tap.equal([line["ok"] for line in results()].count(True), 1)
    tap.equal(os.listdir("out"), ["2"])


@tap.test
def concurrency_is_never_exceeded_and_reached():
    with peers.echo() as base:
        write_list([f"{base}/json/{n}?delay=20ms" for n in range(50)])
        done = fetch("-i", "urls.txt", "-c", "7")
        tap.equal(done.returncode, 0)
        seen = stats(base)
    tap.equal((seen["requests"], seen["highest"]), (50, 7))


@tap.test
def rate_is_kept():
    with peers.echo() as base:
        write_list([f"{base}/json/{n}" for n in range(21)])
        started = time.monotonic()
        done = fetch("-i", "urls.txt", "--rate", "40/s")
        elapsed = time.monotonic() - started
    tap.equal(done.returncode, 0)
    if elapsed < 20 / 40:
        raise AssertionError(f"21 requests at 40/s took {elapsed} s only")


@tap.test
def rate_counts_retries():
    with peers.echo() as base:
        started = time.monotonic()
        done = fetch(*[f"{base}/retry/2/{n}" for n in range(5)], "--rate", "20/s")
        elapsed = time.monotonic() - started
    tap.equal(done.returncode, 0, done.stderr.decode())
    tap.has(done.stderr.decode(), "5 ok, 0 failed, 10 retries")
    if elapsed < 14 / 20:
        raise AssertionError(f"15 requests at 20/s took {elapsed} s only")


@tap.test
def retries_are_three_attempts_by_default():
    with peers.echo() as base:
        done = fetch(f"{base}/retry/2/a", f"{base}/retry/3/b", f"{base}/status/404",
                     "--results", "results.jsonl")
    tap.equal(done.returncode, 1)
    attempts = {line["url"].rsplit("/", 1)[1]: (line["ok"], line["attempts"], line["status"])
                for line in results()}
    tap.equal(attempts, {"a": (True, 3, 200), "b": (False, 3, 503), "404": (False, 1, 404)})
    tap.has(done.stderr.decode(), f"  {base}/status/404: 404 Not Found\n")


@tap.test
def retries_of_a_long_list_have_no_budget():
    with peers.echo() as base:
        done = fetch(*[f"{base}/retry/1/{n}" for n in range(200)])
    tap.equal(done.returncode, 0, done.stderr.decode())
    tap.has(done.stderr.decode(), "200 ok, 0 failed, 200 retries")


@tap.test
def retry_0_is_one_attempt():
    with peers.echo() as base:
        done = fetch(f"{base}/retry/1/a", "--retry", "0", "--results", "-")
    tap.equal((done.returncode, json.loads(done.stdout)["attempts"]), (1, 1))


@tap.test
def a_broken_body_is_fetched_again():
    answers = []

    def flaky(_head):
        answers.append(1)
        if len(answers) < 3:
            return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"
        return peers.reply("whole")

    with peers.raw(flaky) as (host, _seen):
        done = fetch(f"http://{host}/file", "-d", "out", "--results", "results.jsonl")
    tap.equal(done.returncode, 0, done.stderr.decode())
    tap.equal(results()[0]["attempts"], 3)
    with open("out/file", encoding="ascii") as file:
        tap.equal(file.read(), "whole")
    tap.equal(os.listdir("out"), ["file"])


@tap.test
def a_body_that_stays_broken_leaves_no_file():
    with peers.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort") as (host, seen):
        done = fetch(f"http://{host}/file", "-d", "out", "--results", "results.jsonl")
        tap.equal(len(seen), 3)
    tap.equal(done.returncode, 1)
    tap.has(done.stderr.decode(), "5 of 100")
    tap.equal((results()[0]["ok"], results()[0]["file"], results()[0]["attempts"]), (False, None, 3))
    tap.equal(os.listdir("out"), [])


@tap.test
def what_is_not_json_fails_when_json_is_expected():
    with peers.echo() as base:
        done = fetch(f"{base}/json/1", f"{base}/", "--expect-json", "-d", "out",
                     "--results", "results.jsonl")
    tap.equal(done.returncode, 1)
    bad = next(line for line in results() if not line["ok"])
    tap.has(bad["error"], "not JSON")
    tap.equal(os.listdir("out"), ["1"])


@tap.test
def redirects_fail_unless_followed():
    with peers.echo() as base:
        done = fetch(f"{base}/redirect/1")
        tap.equal(done.returncode, 1)
        tap.has(done.stderr.decode(), "302 to /json (-L follows it)")
        tap.equal(fetch("-L", f"{base}/redirect/1").returncode, 0)


@tap.test
def timeout_is_per_url_with_all_attempts():
    with peers.echo() as base:
        started = time.monotonic()
        done = fetch("-t", "300ms", f"{base}/delay/30", f"{base}/json", "--results", "results.jsonl")
    tap.equal(done.returncode, 1)
    bad = next(line for line in results() if not line["ok"])
    tap.has(bad["error"], "0.3 s")
    if time.monotonic() - started > 10:
        raise AssertionError("the timeout was not kept")


@tap.test
def at_most_ten_failures_are_listed():
    with peers.echo() as base:
        done = fetch("-s", *[f"{base}/status/404?{n}" for n in range(13)])
    lines = done.stderr.decode().splitlines()
    tap.equal(len(lines), 11)
    tap.equal(lines[-1], "  and 3 more")


@tap.test
def an_empty_list_is_no_error():
    write_list(["# nothing"])
    done = fetch("-i", "urls.txt")
    tap.equal(done.returncode, 0)
    tap.has(done.stderr.decode(), "0 done: 0 ok, 0 failed")


@tap.test
def interrupt_stops_and_tells_how_far_it_came():
    with peers.echo() as base:
        write_list([f"{base}/json/{n}" for n in range(10)] + [f"{base}/delay/30"] * 10)
        process = subprocess.Popen([tap.weft(), "fetch", "-i", "urls.txt", "-c", "4", "-d", "out"],
                                   stderr=subprocess.PIPE)
        while stats(base)["requests"] < 14:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read().decode()
        process.stderr.close()
        tap.equal(process.wait(), 130)
    tap.has(errors, "interrupted: 10 of 20 done: 10 ok, 0 failed")
    tap.equal(len(os.listdir("out")), 10)


@tap.test
def interrupt_removes_unfinished_files():
    with peers.echo() as base:
        process = subprocess.Popen([tap.weft(), "fetch", "-s", "-d", "out",
                                    *[f"{base}/bytes/1000000000000?{n}" for n in range(3)]],
                                   stderr=subprocess.PIPE)
        while not os.path.exists("out") or len(os.listdir("out")) < 3:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        tap.equal((process.communicate()[1], process.returncode), (b"", 130))
    tap.equal(os.listdir("out"), [])


@tap.test
def interrupt_while_the_list_is_awaited():
    reader, writer = os.pipe()
    process = subprocess.Popen([tap.weft(), "fetch", "-i", "-"], stdin=reader,
                               stderr=subprocess.PIPE)
    os.close(reader)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    errors = process.stderr.read().decode()
    process.stderr.close()
    tap.equal(process.wait(), 130)
    os.close(writer)
    tap.has(errors, "interrupted: 0 done")


@tap.test(limit=60)
def memory_does_not_grow_with_the_list():
    port = peers.free_port()
    used = []
    for n in (10000, 40000):
        write_list([f"http://127.0.0.1:{port}/{i}" for i in range(n)])
        code, peak = peers.peak_memory([tap.weft(), "fetch", "-s", "-i", "urls.txt",
                                        "--retry", "0"])
        tap.equal(code, 1)
        used.append(peak)
    if used[1] > used[0] + 2000:
        raise AssertionError(f"{used} kB were used")


tap.main()
