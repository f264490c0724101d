"""weft over HTTP/2 with other people's servers: nghttpd, nginx, Apache, Node, h2o, Caddy."""

import contextlib
import json
import os
import signal
import subprocess
import time

import peers
import tap

NGINX = """
    default_type application/json;
    {extra}
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate cert.pem;
        ssl_certificate_key key.pem;
        root www;
    }}
"""

APACHE = """
ServerRoot {folder}
ServerName localhost
PidFile {folder}/apache.pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port} https
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule ssl_module {modules}/mod_ssl.so
LoadModule http2_module {modules}/mod_http2.so
Protocols h2 http/1.1
DocumentRoot {folder}/www
SSLEngine on
SSLCertificateFile {folder}/cert.pem
SSLCertificateKeyFile {folder}/key.pem
<Directory {folder}/www>
    Require all granted
</Directory>
"""

# Gives back what it is sent, as it comes; anything else is a file.
NODE = """
const http2 = require("http2");
const fs = require("fs");
const server = http2.createSecureServer({key: fs.readFileSync("key.pem"),
                                         cert: fs.readFileSync("cert.pem")});
server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    if (headers[":method"] === "POST") {
        stream.respond({":status": 200});
        stream.pipe(stream);
    } else {
        stream.respondWithFile("www" + headers[":path"], {}, {
            onError: () => { stream.respond({":status": 404}); stream.end(); }});
    }
});
server.listen(PORT, "127.0.0.1");
"""

# Without the interval it would ask who issued the certificate about it.
H2O = """
num-threads: 1
{user}
listen:
  host: 127.0.0.1
  port: {port}
  ssl:
    certificate-file: cert.pem
    key-file: key.pem
    ocsp-update-interval: 0
hosts:
  default:
    paths:
      /:
        file.dir: www
"""

CADDY = """
{{
    admin off
    auto_https off
    servers {{
        protocols h1 h2
    }}
}}
https://localhost:{port} {{
    bind 127.0.0.1
    tls cert.pem key.pem
    root * www
    file_server
}}
"""


def make_folder():
    os.makedirs("www", exist_ok=True)
    for number in range(1, 101):
        with open(f"www/{number}.json", "w", encoding="utf-8") as file:
            json.dump({"id": number, "name": f"Käse {number}"}, file)
    with open("www/big.bin", "wb") as file:
        file.write(os.urandom(3_000_000))
    os.makedirs("tmp", exist_ok=True)
    peers.make_ca()


def wait_for(url, process, *options):
    end = time.monotonic() + 30 * tap.SLOW
    while time.monotonic() < end:
        if tap.run([tap.weft(), "-s", "-k", *options, url]).returncode in (0, 4):
            return
        if process.poll() is not None:
            raise AssertionError("the server has ended")
        time.sleep(0.05)
    raise AssertionError("the server does not answer")


@contextlib.contextmanager
def running(command, url, *options, **environment):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env={**os.environ, **environment})
    try:
        wait_for(url, process, *options)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def nghttpd(*options, secure=True):
    program = tap.need("nghttpd")
    make_folder()
    port = str(peers.free_port())
    if secure:
        return running([program, "-d", "www", *options, port, "key.pem", "cert.pem"],
                       f"https://localhost:{port}", "--http2")
    return running([program, "-d", "www", "--no-tls", *options, port],
                   f"http://localhost:{port}", "--http2-prior-knowledge")


def nginx(extra=""):
    program = tap.need("nginx")
    make_folder()
    port = peers.free_port()
    with open("nginx.conf", "w", encoding="ascii") as file:
        file.write(peers.nginx_conf(NGINX.format(port=port, extra=extra)))
    return running([program, "-p", ".", "-c", "nginx.conf"], f"https://localhost:{port}")


def apache():
    program = tap.need("apache2")
    modules = "/usr/lib/apache2/modules"
    if not os.path.exists(f"{modules}/mod_http2.so"):
        tap.skip("Apache's mod_http2 is not installed")
    make_folder()
    port = peers.free_port()
    with open("apache.conf", "w", encoding="utf-8") as file:
        file.write(APACHE.format(folder=os.getcwd(), port=port, modules=modules))
    return running([program, "-X", "-f", os.path.abspath("apache.conf")],
                   f"https://localhost:{port}")


def node():
    program = tap.need("node")
    make_folder()
    port = peers.free_port()
    with open("server.js", "w", encoding="ascii") as file:
        file.write(NODE.replace("PORT", str(port)))
    return running([program, "server.js"], f"https://localhost:{port}", "--http2")


def h2o():
    program = tap.need("h2o")
    make_folder()
    port = peers.free_port()
    user = "user: root" if os.geteuid() == 0 else ""
    with open("h2o.conf", "w", encoding="ascii") as file:
        file.write(H2O.format(port=port, user=user))
    return running([program, "-c", "h2o.conf"], f"https://localhost:{port}")


def caddy():
    program = tap.need("caddy")
    make_folder()
    port = peers.free_port()
    with open("Caddyfile", "w", encoding="ascii") as file:
        file.write(CADDY.format(port=port))
    return running([program, "run", "--config", "Caddyfile", "--adapter", "caddyfile"],
                   f"https://localhost:{port}", HOME=os.getcwd(),
                   XDG_DATA_HOME=os.path.abspath("data"),
                   XDG_CONFIG_HOME=os.path.abspath("config"))


def fetch_all(base, *options):
    with open("list", "w", encoding="ascii") as file:
        file.write("".join(f"{base}/{number}.json\n" for number in range(1, 101)))
        file.write(f"{base}/big.bin\n")
    done = tap.run([tap.weft(), "fetch", "-s", "-i", "list", "-d", "out", "-c", "50",
                    "--cacert", "ca.pem", *options])
    tap.equal(done.returncode, 0, done.stderr.decode())
    for name in [f"{number}.json" for number in range(1, 101)] + ["big.bin"]:
        with open(f"www/{name}", "rb") as wanted, open(f"out/{name}", "rb") as got:
            tap.equal(got.read() == wanted.read(), True, name)


def says_http2(base, option="--http2"):
    done = tap.run([tap.weft(), "-v", "--cacert", "ca.pem", option, f"{base}/7.json"])
    tap.equal(done.returncode, 0, done.stderr.decode())
    tap.has(done.stderr.decode(), "< HTTP/2 200", "what -v says")
    tap.equal(json.loads(done.stdout)["id"], 7)


@tap.test(limit=60)
def nghttpd_over_tls():
    with nghttpd() as base:
        says_http2(base)
        fetch_all(base, "--http2")


@tap.test(limit=60)
def nghttpd_with_prior_knowledge():
    with nghttpd(secure=False) as base:
        says_http2(base, "--http2-prior-knowledge")
        fetch_all(base, "--http2-prior-knowledge")


@tap.test(limit=60)
def nghttpd_that_allows_few_streams():
    with nghttpd("-m", "3") as base:
        fetch_all(base, "--http2")


@tap.test(limit=60)
def nginx_over_tls():
    with nginx() as base:
        says_http2(base)
        fetch_all(base, "--http2")


@tap.test(limit=60)
def nginx_that_goes_away_after_each_seventh_request():
    with nginx("keepalive_requests 7;") as base:
        fetch_all(base, "--http2")


@tap.test(limit=60)
def apache_over_tls():
    with apache() as base:
        says_http2(base)
        fetch_all(base, "--http2")


@tap.test(limit=60)
def node_over_tls_while_both_sides_send():
    with node() as base:
        says_http2(base)
        fetch_all(base, "--http2")
        done = tap.run([tap.weft(), "--cacert", "ca.pem", "--http2", "-d", "@www/big.bin", base])
        tap.equal(done.returncode, 0, done.stderr.decode())
        with open("www/big.bin", "rb") as file:
            tap.equal(done.stdout == file.read(), True, "what came back")


@tap.test(limit=60)
def h2o_over_tls():
    with h2o() as base:
        says_http2(base)
        fetch_all(base, "--http2")


@tap.test(limit=60)
def caddy_over_tls():
    with caddy() as base:
        says_http2(base)
        fetch_all(base, "--http2")


@tap.test(limit=60)
def server_that_speaks_only_http1_is_spoken_to_so():
    with nginx() as base:
        done = tap.run([tap.weft(), "-v", "--cacert", "ca.pem", f"{base}/7.json"])
        tap.has(done.stderr.decode(), "< HTTP/1.1 200", "what -v says")
    reply = peers.reply("hi")
    with peers.raw(reply, peers.tls_context()) as (where, _seen):
        base = f"https://{where}/"
        done = tap.run([tap.weft(), "-k", "-s", "--http2", base])
        tap.equal(done.stdout, b"hi")
        done = tap.run([tap.weft(), "-k", "-s", "--http2-prior-knowledge", base])
        tap.has(done.stderr.decode(), "does not speak HTTP/2", "the error")


def need_driver(name):
    driver = os.path.join(tap.BUILD, "tests", "interop", name)
    if not os.path.exists(driver):
        tap.skip(f"{name} was not built")
    return driver


def both_ways(base, plain):
    done = tap.run([need_driver("h2_duplex"), base, str(100 // tap.SLOW), str(500 // tap.SLOW),
                    str(int(plain))])
    tap.equal(done.returncode, 0, done.stderr.decode())
    tap.equal(done.stdout.decode(), "wrong 0 little 1\n", done.stderr.decode())


@tap.test(limit=60)
def node_gives_back_what_it_is_still_being_sent():
    with node() as base:
        both_ways(base, plain=False)


@tap.test(limit=60)
def node_gives_back_what_it_is_still_being_sent_by_plain_code():
    with node() as base:
        both_ways(base, plain=True)


def storm(base, count, seed):
    driver = need_driver("h2_driver")
    for size in (0, 1, 1000, 16384, 65536, 300000):
        with open(f"www/{size}.bin", "wb") as file:
            file.write(bytes(at % 251 for at in range(size)))
    done = tap.run([driver, base, str(count // tap.SLOW), str(seed)])
    tap.equal(done.returncode, 0, done.stderr.decode())
    tap.equal(done.stdout.decode(), "wrong 0 opened 1 size 1 active 0\n")


@tap.test(limit=60)
def storm_over_one_connection_accounts_for_every_byte():
    with nghttpd("--echo-upload") as base:
        storm(base, 10000, 1)


@tap.test(limit=60)
def storm_over_one_connection_without_tls_accounts_for_every_byte():
    with nghttpd("--echo-upload", secure=False) as base:
        storm(base, 2000, 2)


tap.main()
