"""Every way in which things go wrong: one clear line that names the thing, and its exit code."""

import os
import subprocess

import peers
import tap


def fails(code, line, *words):
    """line: the whole of stderr after "weft: ", or parts of it."""
    done = tap.run([tap.weft(), *words])
    text = done.stderr.decode()
    tap.equal(done.returncode, code, f"exit code ({text!r})")
    tap.equal(text.count("\n"), 1, f"lines in {text!r}")
    if isinstance(line, str):
        tap.equal(text, f"weft: {line}\n", "stderr")
        return
    for part in ("weft: ", *line):
        tap.has(text, part, "stderr")


@tap.test
def usage():
    fails(2, "unknown option --timout (did you mean --timeout?)", "--timout", "2", "http://h/")
    fails(2, "option --rate belongs to weft fetch", "--rate", "2", "http://h/")
    fails(2, "-o expects FILE after it", "http://h/", "-o")
    fails(2, "no URL given (see weft --help)", "-v")
    fails(2, "no URL given after the method POST", "POST")
    fails(2, "'b' is one word too many", "http://h/", "b")
    fails(2, "'http://h/' is one word too many (a method is written in capitals)", "get", "http://h/")
    fails(2, "two methods given: GET and -X PUT", "-X", "PUT", "GET", "http://h/")
    fails(2, "--json and -d exclude each other", "--json", "{}", "-d", "x", "http://h/")
    fails(2, "'x' is not a header field such as 'Name: value'", "-H", "x", "http://h/")
    fails(2, "'x' is not a query parameter such as name=value", "-q", "x", "http://h/")
    fails(2, "-u expects NAME:PASSWORD", "-u", "kim", "http://h/")


@tap.test
def bad_url():
    fails(2, ["http://a b/", "URL"], "http://a b/")
    fails(2, ["http://h:99999/"], "http://h:99999/")
    fails(2, ["http://"], "http://")
    fails(2, "ftp://h/: a URL begins with http:// or https://, not ftp:", "ftp://h/")
    fails(2, ["ht!tp://h/", "no scheme"], "ht!tp://h/")


@tap.test
def long_url_leaves_room_for_the_reason():
    for query in ("x" * 3000, "api_key=secret", "a=" + "b" * 200 + "&token=" + "c" * 200):
        fails(6, ["http://127.0.0.1:1/?", ": connect to 127.0.0.1:1 failed: Connection refused\n"],
              "http://127.0.0.1:1/?" + query)


@tap.test
def bad_header_is_not_sent():
    with peers.raw(peers.reply("x")) as (host, seen):
        fails(2, [], "-H", "A: b\r\nInjected: c", host)
        fails(2, [], "-X", "GET /x HTTP/1.1\r\nA:", host)
    tap.equal(seen, [])


@tap.test
def unreadable_files():
    fails(9, ["none.txt", "o such file"], "-d", "@none.txt", "http://h/")
    fails(9, ["none.pem", "o such file"], "--cacert", "none.pem", "https://h/")
    fails(9, ["none.key", "o such file"], "--bearer", "@none.key", "http://h/")


@tap.test
def unwritable_output():
    with peers.raw(peers.reply("x")) as (host, _seen):
        fails(9, ["none/file", "o such file"], "-o", "none/file", host)


@tap.test
def refused():
    port = peers.free_port()
    fails(6, [f"127.0.0.1:{port}", "refused"], f"127.0.0.1:{port}")


@tap.test
def unknown_host():
    fails(6, ["no-such-host.invalid"], "http://no-such-host.invalid/")


@tap.test
def bad_certificate():
    peers.make_ca()
    with peers.raw(peers.reply("x"), peers.tls_context()) as (host, _seen):
        fails(7, [host.split(":")[0], "certificate", "(use -k to accept it anyway)"],
              f"https://{host}/")
        done = tap.run([tap.weft(), "--cacert", "ca.pem", f"https://{host}/"])
        tap.equal((done.stdout, done.stderr, done.returncode), (b"x", b"", 0))
        done = tap.run([tap.weft(), "-k", f"https://{host}/"])
        tap.equal((done.stdout, done.returncode), (b"x", 0))
        tap.equal(done.stderr, b"weft: warning: certificates are not checked (-k)\n")


@tap.test
def certificate_of_another_host():
    peers.make_ca(names="DNS:example.com")
    with peers.raw(peers.reply("x"), peers.tls_context()) as (host, _seen):
        fails(7, ["certificate", "127.0.0.1"], "--cacert", "ca.pem", f"https://{host}/")


@tap.test
def expired_certificate():
    peers.make_ca(days=-1)
    with peers.raw(peers.reply("x"), peers.tls_context()) as (host, _seen):
        fails(7, [host, "expired", "(use -k to accept it anyway)"],
              "--cacert", "ca.pem", f"https://{host}/")


@tap.test
def not_tls_at_all():
    with peers.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n", unasked=True) as (host, _seen):
        fails(7, [host, "TLS"], f"https://{host}/")


@tap.test
def not_a_ca_file():
    with open("ca.pem", "w", encoding="ascii") as file:
        file.write("no certificate\n")
    with peers.raw(peers.reply("x")) as (host, _seen):
        fails(7, ["ca.pem"], "--cacert", "ca.pem", f"https://{host}/")


@tap.test
def timeouts():
    with peers.raw(None) as (host, _seen):
        fails(8, [host, "0.2 s"], "-t", "200ms", host)


@tap.test
def truncated_body():
    with peers.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort") as (host, _seen):
        fails(10, [host, "5 of 100"], f"http://{host}/")
        tap.equal(tap.run([tap.weft(), host]).stdout, b"short")
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n"
    with peers.raw(chunked) as (host, _seen):
        fails(10, [host], host)


@tap.test
def not_json():
    with peers.raw(peers.reply('{"a": 1,}')) as (host, _seen):
        fails(11, [f"http://{host}/", "JSON"], "--expect-json", host)
        tap.equal(tap.run([tap.weft(), "--expect-json", host]).stdout, b"")
        fails(11, [host], "--expect-json", "-o", "file", host)
    tap.equal(os.listdir("."), [])
    with peers.raw(peers.reply('{"a": 1 }')) as (host, _seen):
        done = tap.run([tap.weft(), "--expect-json", host])
        tap.equal((done.returncode, done.stdout, done.stderr), (0, b'{"a": 1 }', b""))
        tap.run([tap.weft(), "--expect-json", "-o", "file", host])
    with open("file", "rb") as file:
        tap.equal(file.read(), b'{"a": 1 }')


@tap.test
def no_reply_and_no_http():
    with peers.raw(b"") as (host, _seen):
        fails(10, [host], host)
    with peers.raw(b"SSH-2.0-OpenSSH_9.2\r\n") as (host, _seen):
        fails(10, [host], host)


@tap.test
def terminal_escapes_of_a_peer_do_not_reach_stderr():
    with peers.raw(peers.reply("", "404 \x1b[31mred")) as (host, _seen):
        done = tap.run([tap.weft(), host])
        tap.equal(b"\x1b" in done.stderr, False, "an escape on stderr")
        done = tap.run([tap.weft(), "-v", host])
        tap.equal(b"\x1b" in done.stderr, False, "an escape on stderr")
    tap.equal(b"\x1b" in tap.run([tap.weft(), "http://h\x1b/"]).stderr, False, "an escape")


@tap.test
def passwords_are_in_no_message():
    port = peers.free_port()
    done = tap.run([tap.weft(), f"http://kim:verysecret@127.0.0.1:{port}/"])
    tap.equal(b"verysecret" in done.stderr, False, "password shown")


# ---- fetch ----

@tap.test
def fetch_usage():
    fails(2, "no URLs given (as words, or -i LIST)", "fetch")
    fails(2, "--rate expects a rate such as 50/s or 100/m, not 'x'", "fetch", "--rate", "x", "u")


@tap.test
def fetch_unreadable_list():
    fails(9, ["none.txt", "o such file"], "fetch", "-i", "none.txt")
    fails(9, [os.getcwd()], "fetch", "-i", os.getcwd())


@tap.test
def fetch_unwritable_folder():
    with open("file", "w", encoding="ascii"):
        pass
    fails(9, ["file"], "fetch", "-d", "file", "http://h/")
    fails(9, ["file/sub"], "fetch", "-d", "file/sub", "http://h/")
    fails(9, ["none/r.jsonl", "o such file"], "fetch", "--results", "none/r.jsonl", "http://h/")


@tap.test
def fetch_folder_without_permission():
    if os.geteuid() == 0:
        tap.skip("root may write anywhere")
    os.mkdir("closed", 0o500)
    fails(9, ["closed", "ermission denied"], "fetch", "-d", "closed", "http://h/")


# ---- serve ----

@tap.test
def serve_usage():
    fails(2, "nothing to serve: a folder, or --echo", "serve")
    fails(2, "'x' is one word too many", "serve", "--echo", "x")
    fails(9, ["none", "o such file"], "serve", "none")
    with open("file", "w", encoding="ascii"):
        pass
    fails(9, "file: is not a folder", "serve", "file")


@tap.test
def serve_port_in_use():
    with peers.raw(b"") as (host, _seen):
        port = host.split(":")[1]
        done = subprocess.run([tap.weft(), "serve", "--echo", "--port", port], check=False,
                              capture_output=True, stdin=subprocess.DEVNULL, timeout=10)
    tap.equal((done.returncode, done.stdout), (9, b""))
    tap.equal(done.stderr.count(b"\n"), 1)
    tap.has(done.stderr.decode(), port)


tap.main()
