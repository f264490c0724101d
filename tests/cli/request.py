"""weft URL: what it sends, and what it writes."""

import json
import os
import signal
import subprocess
import time

import peers
import tap


def weft(*words, **options):
    return tap.run([tap.weft(), *words], **options)


def echoed(*words, **options):
    """What the server saw."""
    done = weft(*words, **options)
    tap.equal(done.stderr, b"", "stderr")
    tap.equal(done.returncode, 0, "exit code")
    return json.loads(done.stdout)


def headers(seen):
    return {name.lower(): value for name, value in seen["headers"].items()}


@tap.test
def into_a_pipe_go_the_bodys_bytes_and_nothing_else():
    body = bytes(range(256)) * 7
    with peers.raw(peers.reply(body)) as (host, _seen):
        done = weft(f"http://{host}/")
    tap.equal(done.stdout, body, "stdout")
    tap.equal(done.stderr, b"", "stderr")
    tap.equal(done.returncode, 0, "exit code")


@tap.test
def scheme_is_http_for_loopback():
    with peers.raw(peers.reply("x")) as (host, seen):
        tap.equal(weft(host).stdout, b"x")
        tap.equal(weft(":" + host.split(":")[1] + "/a?b=c").stdout, b"x")
    tap.has(seen[0], b"GET / HTTP/1.1\r\n")
    tap.has(seen[1], b"GET /a?b=c HTTP/1.1\r\n")


@tap.test
def scheme_is_https_for_others():
    done = weft("no-such-host.invalid/")
    tap.has(done.stderr, b"https://no-such-host.invalid/")


@tap.test
def method_is_the_first_word_or_an_option():
    with peers.echo() as base:
        tap.equal(echoed(base + "/echo")["method"], "GET")
        tap.equal(echoed("DELETE", base + "/echo")["method"], "DELETE")
        tap.equal(echoed("-X", "PUT", base + "/echo")["method"], "PUT")
        tap.equal(echoed("-d", "x", base + "/echo")["method"], "POST")
        tap.equal(echoed("PATCH", base + "/echo", "-d", "x")["method"], "PATCH")


@tap.test
def head_has_no_body():
    with peers.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n") as (host, _seen):
        done = weft("HEAD", host)
    tap.equal((done.returncode, done.stdout), (0, b""))


@tap.test
def header_fields_are_sent():
    with peers.echo() as base:
        seen = headers(echoed("-H", "X-One: 1", "--header=x-two:2 3", base + "/echo"))
    tap.equal(seen["x-one"], "1")
    tap.equal(seen["x-two"], "2 3")
    with peers.raw(peers.reply("x")) as (host, seen):
        weft("-H", "A: 1", "-H", "a: 2", "-H", "User-Agent: me", "-H", "Host: a", "-H", "Host: b",
             host)
    tap.equal(seen[0].split(b"\r\n")[1:-2], [b"Host: b", b"Accept: */*",
                                              b"Accept-Encoding: gzip, deflate, br, zstd",
                                              b"User-Agent: me",
                                              b"A: 1", b"a: 2"])


@tap.test
def query_is_appended():
    with peers.echo() as base:
        seen = echoed("-q", "b=2 3", "-q", "c=ä&", base + "/echo?a=1")
    tap.equal(seen["target"].replace("+", "%20"), "/echo?a=1&b=2%203&c=%C3%A4%26")


@tap.test
def data_is_a_form_unless_said_otherwise():
    with peers.echo() as base:
        seen = echoed("-d", "a=1", "-d", "b=2", base + "/echo")
        tap.equal(seen["data"], "a=1&b=2")
        tap.equal(headers(seen)["content-type"], "application/x-www-form-urlencoded")
        seen = echoed("-d", "x", "-H", "content-type: text/plain", base + "/echo")
        tap.equal(headers(seen)["content-type"], "text/plain")


@tap.test
def data_comes_from_a_file_or_from_stdin():
    with open("body", "wb") as file:
        file.write(b"line 1\nline 2\n")
    with peers.echo() as base:
        tap.equal(echoed("-d", "@body", base + "/echo")["data"], "line 1\nline 2\n")
        tap.equal(echoed("--json", "@body", base + "/echo")["data"], "line 1\nline 2\n")
        with open("body", "rb") as file:
            tap.equal(echoed("-d", "@-", base + "/echo", stdin=file)["data"], "line 1\nline 2\n")


@tap.test
def json_sets_both_types():
    with peers.echo() as base:
        seen = echoed("--json", '{"name": "Käse"}', base + "/echo")
    tap.equal(seen["json"], {"name": "Käse"})
    tap.equal(headers(seen)["content-type"], "application/json")
    tap.has(headers(seen)["accept"], "application/json")
    tap.equal(seen["method"], "POST")


@tap.test
def stdin_is_read_only_when_asked():
    with peers.echo() as base:
        reader, writer = os.pipe()
        try:
            seen = echoed(base + "/echo", stdin=reader)
        finally:
            os.close(reader)
            os.close(writer)
    tap.equal((seen["method"], seen["data"]), ("GET", ""))


@tap.test
def credentials_are_sent():
    with peers.echo() as base:
        seen = headers(echoed("-u", "kim:pass:word", base + "/echo"))
        tap.equal(seen["authorization"], "Basic a2ltOnBhc3M6d29yZA==")
        seen = headers(echoed("--bearer", "abc", base + "/echo"))
        tap.equal(seen["authorization"], "Bearer abc")
        with open("token", "w", encoding="ascii") as file:
            file.write("from-file\n")
        seen = headers(echoed("--bearer", "@token", base + "/echo"))
        tap.equal(seen["authorization"], "Bearer from-file")


@tap.test
def secrets_do_not_stay_in_the_process_list():
    for words in (["-u", "kim:secret"], ["--user=kim:secret"], ["--bearer", "secret"]):
        with peers.raw(None) as (host, seen):
            process = subprocess.Popen([tap.weft(), *words, host])
            try:
                while not seen:
                    time.sleep(0.02)
                with open(f"/proc/{process.pid}/cmdline", "rb") as file:
                    line = file.read()
            finally:
                process.kill()
                process.wait()
        tap.equal(b"secret" in line, False, f"secret in {line!r}")


@tap.test
def redirects_are_hinted_at_and_followed_on_demand():
    with peers.echo() as base:
        done = weft(base + "/redirect/2")
        tap.equal(done.returncode, 0)
        tap.equal(done.stderr.decode(),
                  f"weft: {base}/redirect/2: 302 to /redirect/1 (-L follows it)\n")
        tap.equal(weft("-s", base + "/redirect/2").stderr, b"")
        tap.equal(echoed("-L", base + "/redirect/2")["name"], "User 1")
        done = weft("-L", "--max-redirects", "1", base + "/redirect/2")
        tap.equal(done.returncode, 10)
        tap.equal(done.stderr.count(b"\n"), 1)


@tap.test
def status_decides_the_exit_code():
    with peers.echo() as base:
        for status, code in ((200, 0), (204, 0), (304, 0), (404, 4), (429, 4), (500, 5), (503, 5)):
            tap.equal(weft(f"{base}/status/{status}").returncode, code, f"exit code of {status}")
        done = weft(base + "/status/404")
    tap.equal(done.stderr.decode(), f"weft: {base}/status/404: 404 Not Found\n")
    tap.equal(json.loads(done.stdout), {"status": 404, "reason": "Not Found"})


@tap.test
def output_is_saved_whole():
    with peers.echo() as base:
        done = weft("-o", "file.bin", base + "/bytes/300000")
        tap.equal((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        with open("file.bin", "rb") as file:
            saved = file.read()
        tap.equal(saved, weft(base + "/bytes/300000").stdout)
        tap.equal(weft("-o", "-", base + "/bytes/10").stdout, saved[:10])
    tap.equal(len(saved), 300000)
    tap.equal(os.listdir("."), ["file.bin"])


@tap.test
def output_of_a_failed_request_is_not_touched():
    with open("file", "w", encoding="ascii") as file:
        file.write("before")
    with peers.echo() as base:
        tap.equal(weft("-o", "file", base + "/status/404").returncode, 4)
    with peers.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort") as (host, _seen):
        tap.equal(weft("-o", "file", host).returncode, 10)
    with open("file", encoding="ascii") as file:
        tap.equal(file.read(), "before")
    tap.equal(os.listdir("."), ["file"])


@tap.test
def verbose_shows_heads_with_secrets_masked():
    fields = "Set-Cookie: session=verysecret\r\nX-Api-Key: verysecret\r\nX-Plain: seen\r\n"
    with peers.raw(peers.reply("body", fields=fields)) as (host, _seen):
        done = weft("-v", "-u", "kim:verysecret", "-H", "Cookie: verysecret",
                    f"http://{host}/path")
        tap.equal(done.stdout, b"body")
        text = done.stderr.decode()
        tap.has(text, "> GET /path HTTP/1.1\n")
        tap.has(text, f"> Host: {host}\n")
        tap.has(text, "> Authorization: Basic ****\n")
        tap.has(text, "> Cookie: ****\n")
        tap.has(text, "< HTTP/1.1 200 OK\n")
        tap.has(text, "< Set-Cookie: ****\n")
        tap.has(text, "< X-Plain: seen\n")
        tap.equal("verysecret" in text, False, "secret shown")


@tap.test
def verbose_shows_the_head_that_was_sent():
    with peers.raw(peers.reply("body")) as (host, seen):
        for words in ([], ["--json", "{}"], ["-d", "a", "-H", "Host: other", "-H", "User-Agent: me"]):
            done = weft("-v", *words, f"http://{host}/path")
            shown = [line[2:] for line in done.stderr.decode().splitlines() if line[:2] == "> "]
            sent = seen[-1].split(b"\r\n\r\n")[0].decode().split("\r\n")
            tap.equal(sorted(shown), sorted(sent))
            tap.equal(shown[0], sent[0])


@tap.test
def verbose_shows_each_hop_and_each_attempt():
    with peers.echo() as base:
        done = weft("-v", "-L", "-d", "x", base + "/redirect/2")
        lines = done.stderr.decode().splitlines()
        tap.equal([line for line in lines if line.startswith(("> POST", "> GET", "< HTTP"))],
                  ["> POST /redirect/2 HTTP/1.1", "< HTTP/1.1 302 Found",
                   "> GET /redirect/1 HTTP/1.1", "< HTTP/1.1 302 Found",
                   "> GET /json HTTP/1.1", "< HTTP/1.1 200 OK"])
        tap.equal(lines.count("> Content-Length: 1"), 1)
        done = weft("-v", "--retry", "3", base + "/retry/2/v")
        tap.equal(done.stderr.count(b"> GET /retry/2/v HTTP/1.1\n"), 3)
        tap.equal(done.stderr.count(b"< HTTP/1.1 503 "), 2)


@tap.test
def retry_tries_again():
    with peers.echo() as base:
        tap.equal(weft(base + "/retry/2/a").returncode, 5)
        done = weft("--retry", "3", base + "/retry/2/b")
        tap.equal(done.returncode, 0)
        tap.equal(json.loads(done.stdout)["attempts"], 3)
        done = weft("-v", "--retry", "3", base + "/retry/1/c")
        tap.has(done.stderr, b"* attempt 1 of 4 failed")


@tap.test
def a_reader_that_goes_ends_it_quietly():
    with peers.echo() as base:
        process = subprocess.Popen([tap.weft(), base + "/bytes/100000000"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(10)
        process.stdout.close()
        errors = process.stderr.read()
        process.stderr.close()
        tap.equal((process.wait(), errors), (141, b""))


@tap.test
def a_full_disk_is_told():
    with peers.echo() as base, open("/dev/full", "wb") as full:
        done = subprocess.run([tap.weft(), base + "/json"], stdout=full, stderr=subprocess.PIPE,
                              check=False)
    tap.equal(done.returncode, 9)
    tap.equal(done.stderr.lower(), b"weft: standard output: no space left on device\n")


@tap.test
def interrupt_removes_the_unfinished_file():
    with peers.echo() as base:
        process = subprocess.Popen([tap.weft(), "-o", "file", base + "/bytes/100000000000"],
                                   stderr=subprocess.PIPE)
        while not os.path.exists("file.part"):
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        tap.equal((process.wait(), process.stderr.read()), (130, b""))
        process.stderr.close()
    tap.equal(os.listdir("."), [])


@tap.test(limit=60)
def memory_does_not_grow_with_the_body():
    with peers.echo() as base:
        code, peak = peers.peak_memory([tap.weft(), base + "/bytes/400000000"])
    tap.equal(code, 0)
    if peak > 30000:
        raise AssertionError(f"{peak} kB were used")


@tap.test
def help_and_version_are_written_to_stdout():
    for words in (["--help"], ["fetch", "--help"], ["serve", "-h"]):
        done = weft(*words)
        tap.equal((done.returncode, done.stderr), (0, b""))
        tap.has(done.stdout, b"--help")
    tap.equal(weft("--version").stdout[:5], b"weft ")
    tap.equal(weft("help").stdout, weft("--help").stdout)
    tap.equal(weft("version").stdout, weft("--version").stdout)
    tap.equal(weft().returncode, 2)


tap.main()
