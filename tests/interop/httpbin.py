"""The client against httpbin, served by gunicorn: redirects, auth, cookies, codings, streams."""

import atexit
import json
import os
import subprocess

import peers
import tap
from way_peers import body, drive, failed, fields, ok, wait_for

_server = {}


def httpbin():
    """One for all tests; its base URL."""
    if "base" not in _server:
        program = tap.need("gunicorn")
        if tap.run(["/usr/bin/python3", "-c", "import httpbin"]).returncode:
            tap.skip("python3-httpbin is not installed")
        port = peers.free_port()
        process = subprocess.Popen(
            [program, "-b", f"127.0.0.1:{port}", "-k", "gthread", "--threads", "8",
             "--keep-alive", "30", "httpbin:app"], cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": ""})
        atexit.register(stop, process)
        wait_for(port, process)
        _server["base"] = f"http://127.0.0.1:{port}"
    return _server["base"]


def stop(process):
    process.terminate()
    process.wait(10)


def parsed(number=0):
    return json.loads(body(number))


def calls(*paths):
    return [httpbin() + path for path in paths]


@tap.test(limit=60)
def methods_and_bodies_arrive():
    base = httpbin()
    rows = ok(drive([
        base + "/get?a=1&a=2&b=%26",
        {"method": "POST", "url": base + "/post", "form": [["x", "1 2"], ["y", "\u00e9"]]},
        {"method": "PUT", "url": base + "/put", "content": '{"k": [1, null]}',
         "headers": [["Content-Type", "application/json"]]},
        {"method": "PATCH", "url": base + "/patch", "content": "text"},
        {"method": "DELETE", "url": base + "/delete"},
        {"method": "POST", "url": base + "/anything/x%20y", "content": "x" * 100000},
        {"method": "HEAD", "url": base + "/get"}]))
    tap.equal(parsed(0)["args"], {"a": ["1", "2"], "b": "&"})
    tap.equal(parsed(1)["form"], {"x": "1 2", "y": "\u00e9"})
    tap.equal(parsed(2)["json"], {"k": [1, None]})
    tap.equal(parsed(3)["data"], "text")
    tap.equal(parsed(5)["data"], "x" * 100000)
    tap.has(parsed(5)["url"], "/anything/x")
    tap.equal(rows[6]["length"], 0)
    tap.equal(rows[6]["opened"], 1, "connections")


@tap.test(limit=60)
def fields_arrive_once():
    ok(drive([{"url": httpbin() + "/headers", "headers": [["X-One", "a, b"], ["x-two", "2"]]}]))
    seen = parsed()["headers"]
    tap.equal(seen["X-One"], "a, b")
    tap.equal(seen["X-Two"], "2")
    tap.equal(seen["Accept-Encoding"], "gzip, deflate, br, zstd")
    tap.has(seen["User-Agent"], "weft/")


@tap.test(limit=60)
def statuses_are_given_as_they_are():
    codes = [200, 201, 204, 304, 400, 404, 418, 429, 500, 503]
    rows = drive(calls(*(f"/status/{code}" for code in codes)))
    tap.equal([row["status"] for row in rows], codes)


@tap.test(limit=60)
def redirects_are_followed_or_not():
    base = httpbin()
    rows = drive(calls("/redirect/3", "/absolute-redirect/2", "/relative-redirect/2",
                       "/redirect-to?url=/get%3Fq%3D1&status_code=307", "/redirect/25"),
                 follow=True)
    ok(rows[:4])
    tap.equal(rows[0]["url"], base + "/get")
    tap.equal(rows[3]["url"], base + "/get?q=1")
    failed(rows[4], "WEFT_ETOO_MANY_REDIRECTS")
    row = drive(calls("/redirect/1"))[0]
    tap.equal((row["status"], fields(row, "location")), (302, ["/get"]))
    # A form that was answered by 303 is gone, one that was answered by 307 is sent again.
    for code, method in ((303, "GET"), (307, "POST")):
        url = f"{base}/redirect-to?url=/anything&status_code={code}"
        ok(drive([{"method": "POST", "url": url, "form": [["a", "b"]]}], follow=True))
        tap.equal(parsed()["method"], method)
        tap.equal(parsed()["form"], {"a": "b"} if method == "POST" else {})


@tap.test(limit=60)
def codings_are_undone():
    rows = ok(drive(calls("/gzip", "/deflate", "/brotli")))
    for number, name in enumerate(("gzipped", "deflated", "brotli")):
        tap.equal(parsed(number)[name], True)
    tap.equal([fields(row, "content-encoding") for row in rows], [["gzip"], ["deflate"], ["br"]])


@tap.test(limit=60)
def cookies_are_kept_and_deleted():
    rows = ok(drive(calls("/cookies/set?a=1&b=two", "/cookies", "/cookies/delete?a", "/cookies"),
                    follow=True))
    tap.equal(len(rows), 4)
    tap.equal(parsed(0)["cookies"], {"a": "1", "b": "two"})
    tap.equal(parsed(1)["cookies"], {"a": "1", "b": "two"})
    tap.equal(parsed(2)["cookies"], {"b": "two"})
    tap.equal(parsed(3)["cookies"], {"b": "two"})


@tap.test(limit=60)
def basic_is_known_and_unknown():
    ok(drive(calls("/basic-auth/kim/pw", "/hidden-basic-auth/kim/pw"), username="kim",
             password="pw"))
    tap.equal(parsed(), {"authenticated": True, "user": "kim"})
    rows = drive(calls("/basic-auth/kim/pw", "/hidden-basic-auth/kim/pw"), username="kim",
                 password="no")
    tap.equal([row["status"] for row in rows], [401, 404])


@tap.test(limit=60)
def digest_of_every_algorithm():
    # httpbin hands out a challenge by cookie, and wants that cookie back.
    for algorithm in ("MD5", "SHA-256", "SHA-512"):
        url = f"/digest-auth/auth/kim/pw/{algorithm}"
        if algorithm == "SHA-512":  # of RFC 7616 there is SHA-512-256 only: the 401 is the answer
            tap.equal(drive(calls(url), username="kim", password="pw", digest=True)[0]["status"],
                      401)
            continue
        ok(drive(calls(url), username="kim", password="pw", digest=True))
        tap.equal(parsed(), {"authenticated": True, "user": "kim"})
        tap.equal(drive(calls(url), username="kim", password="no", digest=True)[0]["status"], 401)


@tap.test(limit=60)
def streams_come_whole():
    rows = ok(drive(calls("/stream/20", "/stream-bytes/5000?seed=1&chunk_size=7", "/bytes/70000",
                          "/drip?numbytes=5&duration=0.5&delay=0", "/range/1000?chunk_size=99")))
    lines = body(0).decode().splitlines()
    tap.equal([json.loads(line)["id"] for line in lines], list(range(20)))
    tap.equal([row["length"] for row in rows[1:]], [5000, 70000, 5, 1000])
    tap.equal(body(3), b"*" * 5)
    rows = drive([{"url": httpbin() + "/range/100", "headers": [["Range", "bytes=10-19"]]}])
    tap.equal((rows[0]["status"], body()), (206, b"klmnopqrst"))


@tap.test(limit=60)
def delay_is_waited_for_or_not():
    ok(drive(calls("/delay/1")))
    failed(drive(calls("/delay/5"), timeout_ms=300)[0], "WEFT_ETOTAL_TIMEOUT", "0.3 s")


@tap.test(limit=60)
def caches_are_told_apart():
    base = httpbin()
    rows = drive([{"url": base + "/etag/x", "headers": [["If-None-Match", '"x"']]},
                  {"url": base + "/cache", "headers": [["If-Modified-Since",
                                                        "Mon, 23 Nov 2026 00:00:00 GMT"]]},
                  base + "/cache/60"])
    tap.equal([row["status"] for row in rows], [304, 304, 200])
    tap.equal(fields(rows[2], "cache-control"), ["public, max-age=60"])


@tap.test(limit=60)
def characters_and_pictures_are_not_changed():
    # Debian's httpbin has other pages behind /encoding/utf8 and /html.
    rows = ok(drive(calls("/base64/4oiAeOKIiOKEnQ==", "/image/png", "/xml", "/robots.txt")))
    tap.equal(body(0).decode(), "\u2200x\u2208\u211d")
    tap.equal(body(1)[:8], b"\x89PNG\r\n\x1a\n")
    tap.equal(fields(rows[2], "content-type"), ["application/xml"])
    tap.equal(rows[-1]["opened"], 1, "connections")


tap.main()
