"""weft against other people's servers: nginx over TLS with a private CA, Python's http.server."""

import contextlib
import http.server
import json
import os
import subprocess
import threading
import time

import peers
import tap

NGINX = """
    default_type application/json;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate cert.pem;
        ssl_certificate_key key.pem;
        ssl_protocols {protocols};
        root www;
    }}
"""


def make_folder():
    os.makedirs("www", exist_ok=True)
    for number in range(1, 101):
        with open(f"www/{number}.json", "w", encoding="utf-8") as file:
            json.dump({"id": number, "name": f"Käse {number}"}, file)
    with open("www/big.bin", "wb") as file:
        file.write(os.urandom(3_000_000))


def wait_for(port, process):
    for _ in range(200):
        if tap.run([tap.weft(), "-s", "-k", f"https://127.0.0.1:{port}/"]).returncode == 4:
            return
        if process.poll() is not None:
            raise AssertionError(process.stderr.read().decode())
        time.sleep(0.05)
    raise AssertionError("nginx does not answer")


@contextlib.contextmanager
def nginx(protocols="TLSv1.2 TLSv1.3"):
    program = tap.need("nginx")
    peers.make_ca()
    make_folder()
    os.makedirs("tmp", exist_ok=True)
    port = peers.free_port()
    with open("nginx.conf", "w", encoding="ascii") as file:
        file.write(peers.nginx_conf(NGINX.format(port=port, protocols=protocols)))
    process = subprocess.Popen([program, "-p", ".", "-c", "nginx.conf"],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_for(port, process)
        yield f"https://localhost:{port}"
    finally:
        process.terminate()
        process.communicate(timeout=10)


@contextlib.contextmanager
def python_server():
    make_folder()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, directory="www", **options)

        def log_message(self, *arguments):  # pylint: disable=arguments-differ
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def same_as(data, path):
    with open(path, "rb") as file:
        tap.equal(data == file.read(), True, f"the bytes of {path}")


def fetch_all(base, *words):
    """100 URLs, five at a time, checked and saved."""
    with open("urls.txt", "w", encoding="ascii") as file:
        file.writelines(f"{base}/{number}.json\n" for number in range(1, 101))
    done = tap.run([tap.weft(), "fetch", "-i", "urls.txt", "-c", "5", "--rate", "200",
                    "--expect-json", "-d", "out", "--results", "results.jsonl", *words])
    tap.equal(done.returncode, 0, done.stderr.decode())
    tap.has(done.stderr.decode(), "100 done: 100 ok, 0 failed, 0 retries")
    for number in range(1, 101):
        with open(f"out/{number}.json", "rb") as file:
            same_as(file.read(), f"www/{number}.json")


@tap.test(limit=60)
def nginx_with_a_private_ca():
    with nginx() as base:
        done = tap.run([tap.weft(), "--cacert", "ca.pem", base + "/big.bin"])
        tap.equal((done.returncode, done.stderr), (0, b""))
        same_as(done.stdout, "www/big.bin")
        fetch_all(base, "--cacert", "ca.pem")
        done = tap.run([tap.weft(), base + "/1.json"])
        tap.equal(done.returncode, 7)
        tap.has(done.stderr.decode(), "(use -k to accept it anyway)")
        tap.equal(tap.run([tap.weft(), "--cacert", "ca.pem", base + "/none"]).returncode, 4)


@tap.test(limit=60)
def nginx_with_one_version_of_tls():
    for protocols in ("TLSv1.2", "TLSv1.3"):
        with nginx(protocols) as base:
            done = tap.run([tap.weft(), "-v", "--cacert", "ca.pem", base + "/7.json"])
            tap.equal(done.returncode, 0, done.stderr.decode())
            tap.has(done.stderr.decode(), f"* {protocols}\n")
            same_as(done.stdout, "www/7.json")


@tap.test(limit=60)
def python_http_server():
    with python_server() as base:
        done = tap.run([tap.weft(), base + "/big.bin"])
        tap.equal((done.returncode, done.stderr), (0, b""))
        same_as(done.stdout, "www/big.bin")
        fetch_all(base)
        tap.equal(tap.run([tap.weft(), base + "/none"]).returncode, 4)
        tap.equal(tap.run([tap.weft(), "-d", "x", base + "/1.json"]).returncode, 5)
        tap.equal(tap.run([tap.weft(), "HEAD", base + "/1.json"]).stdout, b"")


tap.main()
