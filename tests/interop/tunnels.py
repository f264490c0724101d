"""weft's tunnels over HTTP/2, CONNECT and RFC 8441, through other people's servers: Node, python3-h2, Apache."""

import base64
import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import peers
import tap

# CONNECT to anything but port 1; an upgrade to "echo" or "websocket" gives back what comes.
NODE = """
const http2 = require("http2");
const net = require("net");
const fs = require("fs");
const server = http2.createSecureServer({key: fs.readFileSync("key.pem"),
                                         cert: fs.readFileSync("cert.pem"),
                                         settings: {enableConnectProtocol: ENABLE}});
server.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    if (headers[":method"] !== "CONNECT") {
        stream.respond({":status": 200});
        stream.end("hi");
    } else if (headers[":protocol"] !== undefined) {
        const wanted = headers[":protocol"] === "echo" && headers[":path"] === "/tunnel";
        stream.respond({":status": wanted ? 200 : 501});
        if (wanted)
            stream.pipe(stream);
        else
            stream.end("only echo");
    } else {
        const [host, port] = headers[":authority"].split(":");
        if (port === "1") {
            stream.respond({":status": 403});
            stream.end("not there");
            return;
        }
        const socket = net.connect({port: Number(port), host, allowHalfOpen: true}, () => {
            stream.respond({":status": 200});
            socket.pipe(stream);
            stream.pipe(socket);
        });
        socket.on("error", () => stream.close(http2.constants.NGHTTP2_CONNECT_ERROR));
    }
});
server.listen(PORT, "127.0.0.1");
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
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
Protocols h2 http/1.1
SSLEngine on
SSLCertificateFile {folder}/cert.pem
SSLCertificateKeyFile {folder}/key.pem
DocumentRoot {folder}/www
{extra}
"""

WEBSOCKETS = """
H2WebSockets on
ProxyPass /tunnel http://127.0.0.1:{back}/tunnel upgrade=websocket
"""

FORWARD = """
LoadModule proxy_connect_module {modules}/mod_proxy_connect.so
H2ProxyRequests on
ProxyRequests on
AllowCONNECT {back}
"""


# ---- what is behind the tunnels ----

def _echo(connection, upgrades):
    with contextlib.suppress(OSError), connection:
        connection.settimeout(30)
        if upgrades:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(1)
            key = next(line.split(b": ")[1] for line in head.split(b"\r\n")
                       if line.lower().startswith(b"sec-websocket-key"))
            digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                               b"Upgrade: websocket\r\nSec-WebSocket-Accept: "
                               + base64.b64encode(digest) + b"\r\n\r\n")
        while data := connection.recv(65536):
            connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def echo_server(upgrades=False):
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        with contextlib.suppress(OSError):
            while True:
                connection, _peer = listener.accept()
                threading.Thread(target=_echo, args=(connection, upgrades), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


# ---- servers ----

@contextlib.contextmanager
def running(command, port):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 30 * tap.SLOW
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise AssertionError("the server does not answer") from None
                time.sleep(0.05)
        yield f"https://localhost:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def node(takes_protocol=True):
    program = tap.need("node")
    peers.make_ca()
    port = peers.free_port()
    with open("server.js", "w", encoding="ascii") as file:
        file.write(NODE.replace("PORT", str(port))
                   .replace("ENABLE", "true" if takes_protocol else "false"))
    return running([program, "server.js"], port)


def python_h2():
    try:
        import h2  # noqa: F401
    except ImportError:
        tap.skip("python3-h2 is not installed")
    peers.make_ca()
    port = peers.free_port()
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tunnel_server.py")
    return running([sys.executable, script, str(port)], port)


def apache(extra, back):
    program = tap.need("apache2")
    modules = "/usr/lib/apache2/modules"
    if not os.path.exists(f"{modules}/mod_http2.so"):
        tap.skip("Apache's mod_http2 is not installed")
    peers.make_ca()
    os.makedirs("www", exist_ok=True)
    port = peers.free_port()
    with open("apache.conf", "w", encoding="utf-8") as file:
        file.write(APACHE.format(folder=os.getcwd(), port=port, modules=modules,
                                 extra=extra.format(modules=modules, back=back)))
    return running([program, "-X", "-f", os.path.abspath("apache.conf")], port)


# ---- tunnels ----

def drive(base, *arguments):
    driver = os.path.join(tap.BUILD, "tests", "interop", "tunnel_driver")
    if not os.path.exists(driver):
        tap.skip("tunnel_driver was not built")
    done = tap.run([driver, base, *arguments])
    return done.stdout.decode(), done.stderr.decode()


def all_echo(base, count, *arguments):
    told, errors = drive(base, *arguments[:2], str(count), *arguments[2:])
    tap.equal(told, f"wrong 0 ended {count} refused 0 others {count + 1} opened 1 active 0\n",
              errors)


@tap.test(limit=60)
def node_as_a_proxy_of_connect():
    with node() as base, echo_server() as port:
        all_echo(base, 1, "connect", f"127.0.0.1:{port}", "3000000")
        all_echo(base, 40, "connect", f"127.0.0.1:{port}", "100000")


@tap.test(limit=60)
def node_as_a_proxy_of_https():
    with node() as base:
        port = base.rsplit(":", 1)[1]
        told, errors = drive(base, "through", f"https://127.0.0.1:{port}/", "20")
        tap.equal(told, "good 20 opened 1\n", errors)


@tap.test(limit=60)
def node_that_refuses_a_connect():
    with node() as base:
        told, errors = drive(base, "connect", "127.0.0.1:1", "2", "10")
        tap.equal(told, "wrong 0 ended 0 refused 2 others 3 opened 1 active 0\n", errors)
        tap.has(errors, "HTTP/2 403 not there", "what the response says")
        told, errors = drive(base, "connect", f"127.0.0.1:{peers.free_port()}", "2", "10")
        tap.equal(told, "wrong 2 ended 0 refused 0 others 3 opened 1 active 0\n", errors)
        tap.has(errors, "CONNECT_ERROR", "the error")


@tap.test(limit=60)
def node_that_takes_upgrades():
    with node() as base:
        all_echo(base, 30, "upgrade", "echo", "100000")
        all_echo(base, 5, "upgrade", "echo", "100000", "any")
        told, errors = drive(base, "upgrade", "websocket", "1", "10")
        tap.equal(told, "wrong 0 ended 0 refused 1 others 2 opened 1 active 0\n", errors)
        tap.has(errors, "HTTP/2 501 only echo", "what the response says")


@tap.test(limit=60)
def node_that_does_not_take_upgrades():
    with node(takes_protocol=False) as base:
        told, errors = drive(base, "upgrade", "echo", "1", "10")
        tap.equal(told, "wrong 1 ended 0 refused 0 others 2 opened 1 active 0\n", errors)
        tap.has(errors, "ENABLE_CONNECT_PROTOCOL", "the error")


@tap.test(limit=60)
def python_h2_that_takes_upgrades():
    with python_h2() as base:
        all_echo(base, 10, "upgrade", "websocket", "100000")


@tap.test(limit=60)
def apache_that_takes_websockets():
    with echo_server(upgrades=True) as back, apache(WEBSOCKETS, back) as base:
        all_echo(base, 8, "upgrade", "websocket", "20000")


@tap.test(limit=60)
def apache_as_a_proxy_of_connect():
    with echo_server() as back, apache(FORWARD, back) as base:
        all_echo(base, 8, "connect", f"127.0.0.1:{back}", "100000")


tap.main()
