"""weft serve: a folder, and the echo server's answers."""

import json
import os
import signal
import socket
import subprocess

import peers
import tap


def get(url, *words):
    done = tap.run([tap.weft(), *words, url])
    return done.returncode, done.stdout


@tap.test
def folder_is_served():
    os.makedirs("www/sub")
    with open("www/sub/a.txt", "wb") as file:
        file.write(b"content")
    with open("secret", "wb") as file:
        file.write(b"secret")
    with peers.serve("www") as base:
        tap.equal(get(base + "/sub/a.txt"), (0, b"content"))
        tap.equal(get(base + "/none")[0], 4)
        tap.equal(get(base + "/%2e%2e/secret")[0], 4)


@tap.test
def it_says_where_and_ends_well():
    for number in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen([tap.weft(), "serve", "--echo", "--port", "0"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = process.stdout.readline().decode()
        tap.has(line, "Serving echo on http://127.0.0.1:")
        tap.has(line, "/ (Ctrl-C stops)\n")
        process.send_signal(number)
        rest = process.communicate(timeout=10)
        tap.equal((process.returncode, rest), (0, (b"", b"")))


@tap.test
def requests_are_logged_on_demand():
    process = subprocess.Popen([tap.weft(), "serve", "--echo", "--port", "0", "-v"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    base = process.stdout.readline().decode().split()[3]
    get(base + "status/404?a=%1b")
    process.send_signal(signal.SIGINT)
    _output, log = process.communicate(timeout=10)
    tap.has(log.decode(), "GET /status/404?a=%1b  404  ")
    tap.equal(log.count(b"\n"), 1)


@tap.test
def index_lists_every_answer():
    with peers.echo() as base:
        code, text = get(base)
    tap.equal(code, 0)
    for name in (b"/json", b"/status/", b"/delay/", b"/retry/", b"/bytes/", b"/headers", b"/echo",
                 b"/stats", b"/redirect/"):
        tap.has(text, name)


@tap.test
def json_is_the_same_for_the_same_number():
    with peers.echo() as base:
        tap.equal(get(base + "/json/7"), get(base + "/json?n=7"))
        tap.equal(json.loads(get(base + "/json/7")[1])["id"], 7)
        tap.equal(json.loads(get(base + "/json")[1])["id"], 1)
        tap.equal(get(base + "/json/x")[0], 4)


@tap.test
def status_is_as_asked():
    with peers.echo() as base:
        tap.equal(get(base + "/status/418")[0], 4)
        tap.equal(get(base + "/status/502")[0], 5)
        tap.equal(get(base + "/status/204"), (0, b""))
        tap.equal(get(base + "/status/99")[0], 4)
        tap.equal(get(base + "/status/1000")[0], 4)


@tap.test
def retry_counts_for_each_key():
    with peers.echo() as base:
        codes = [get(base + "/retry/2/" + key)[0] for key in "ababab"]
        tap.equal(codes, [5, 5, 5, 5, 0, 0])
        tap.equal([get(base + "/retry/1")[0] for _ in range(3)], [5, 0, 0])
        tap.equal(json.loads(get(base + "/retry/2/a")[1]),
                  {"key": "a", "attempts": 4, "fails": 2})


@tap.test
def bytes_are_as_many_and_the_same():
    with peers.echo() as base:
        code, data = get(base + "/bytes/100001")
        tap.equal((code, len(data)), (0, 100001))
        tap.equal(data, get(base + "/bytes/100001")[1])
        tap.equal(get(base + "/bytes/0"), (0, b""))


@tap.test
def delay_is_at_least_as_asked():
    with peers.echo() as base:
        tap.equal(json.loads(get(base + "/delay/0.2")[1]), {"delay": 0.2})
        tap.equal(json.loads(get(base + "/delay/0")[1]), {"delay": 0.0})
        tap.equal(get(base + "/delay/long")[0], 4)


@tap.test
def headers_and_bodies_come_back():
    with peers.echo() as base:
        host = base.split("/")[2]
        with socket.create_connection(host.split(":")) as connection:
            connection.sendall(b"GET /headers HTTP/1.0\r\nHost: h\r\nX-A: 1\r\nX-A: 2\r\n\r\n")
            answer = connection.makefile("rb").read()
        tap.equal(json.loads(answer.split(b"\r\n\r\n")[1])["headers"]["X-A"], "1, 2")
        seen = json.loads(get(base + "/anything/x/y?z=1", "-d", "text", "-X", "PUT")[1])
        tap.equal((seen["method"], seen["target"], seen["data"], seen["json"]),
                  ("PUT", "/anything/x/y?z=1", "text", None))


@tap.test
def stats_count_requests_but_not_themselves():
    with peers.echo() as base:
        tap.equal(json.loads(get(base + "/stats")[1]), {"requests": 0, "current": 0, "highest": 0})
        get(base + "/json")
        tap.equal(json.loads(get(base + "/stats")[1]), {"requests": 1, "current": 0, "highest": 1})


tap.main()
