"""Proxies and origins of other people for tests of the ways to a server, and way_driver, which
goes them."""

import contextlib
import http.server
import json
import os
import pwd
import socket
import ssl
import subprocess
import threading
import time

import peers
import tap


def drive(calls, plain=False, **client):
    """The calls of one client, in a task or in plain code; a row for each, as way_driver prints
    them."""
    calls = [{"url": call} if isinstance(call, str) else call for call in calls]
    with open("calls.json", "w", encoding="utf-8") as file:
        json.dump({"client": client, "calls": calls, "plain": plain}, file)
    environment = {name: value for name, value in os.environ.items()
                   if not name.lower().endswith("_proxy")}
    done = tap.run([os.path.join(tap.BUILD, "tests", "interop", "way_driver"), "calls.json"],
                   env=environment)
    if done.returncode:
        raise AssertionError(f"way_driver: {done.returncode}: {done.stderr.decode()}")
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def fields(row, name):
    return [value for key, value in row["headers"] if key.lower() == name.lower()]


def body(number=0):
    with open(f"body.{number}", "rb") as file:
        return file.read()


def ok(rows, status=200):
    """All calls ended with this status."""
    for row in rows:
        tap.equal(row.get("status"), status, f"the status of {row}")
    return rows


def failed(row, name, *says):
    tap.equal(row.get("error"), name, f"the error of {row}")
    for text in says:
        tap.has(row["message"], text)


def wait_for(port, process, log=None):
    """Until somebody listens there."""
    for _ in range(400):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        if process.poll() is not None:
            said = process.stderr.read().decode() if process.stderr else ""
            if log and os.path.exists(log):
                with open(log, encoding="utf-8", errors="replace") as file:
                    said += file.read()
            raise AssertionError(f"{process.args[0]} ended: {said}")
        time.sleep(0.025)
    raise AssertionError(f"{process.args[0]} does not listen")


@contextlib.contextmanager
def running(command, port, log=None):
    """A server in the foreground, until the block ends."""
    process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_for(port, process, log)
        yield
    finally:
        process.terminate()
        try:
            process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def write(name, text):
    with open(name, "w", encoding="ascii") as file:
        file.write(text)


def give_to(user):
    """The present folder and all in it, to the user that a server changes to."""
    if os.geteuid() != 0:
        return
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        tap.skip(f"there is no user {user}")
    os.chown(".", entry.pw_uid, entry.pw_gid)
    for name in os.listdir("."):
        os.chown(name, entry.pw_uid, entry.pw_gid)


# ---- an origin that keeps what it is asked ----


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length)
        row = {"method": self.command, "target": self.path, "body": data.decode("latin-1"),
               "fields": [[name, value] for name, value in self.headers.items()]}
        self.server.seen.append(row)
        text = json.dumps(row).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = _answer

    def log_message(self, *arguments):  # pylint: disable=arguments-differ
        pass


class _Origin(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


@contextlib.contextmanager
def origin(secure=False, address="127.0.0.1"):
    """Gives its port and the list of requests."""
    server = _Origin((address, 0), _Handler)
    server.seen = []
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("cert.pem", "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, server.seen
    finally:
        server.shutdown()
        server.server_close()


# ---- proxies ----

SQUID = """
http_port 127.0.0.1:{port}
{more}
pid_filename {folder}/squid.pid
cache_log {folder}/cache.log
access_log none
cache deny all
coredump_dir {folder}
shutdown_lifetime 0 seconds
via off
forwarded_for delete
netdb_filename none
icon_directory /usr/share/squid/icons
{auth}
"""
SQUID_HELPERS = "/usr/lib/squid"
OPEN = "http_access allow all"


def squid_auth(kind):
    """Settings by which squid knows user and password "kim" and "o:pen sésame"."""
    folder = os.getcwd()
    if kind == "basic":
        known = tap.run([tap.need("openssl"), "passwd", "-apr1", "o:pen s\u00e9same"])
        write("users", "kim:" + known.stdout.decode())
        program = f"{SQUID_HELPERS}/basic_ncsa_auth {folder}/users"
    else:
        with open("users", "w", encoding="utf-8") as file:
            file.write("kim:open sesame\n")
        program = f"{SQUID_HELPERS}/digest_file_auth {folder}/users"
    return (f"auth_param {kind} program {program}\nauth_param {kind} children 1 startup=1\n"
            f"auth_param {kind} realm of squid\nacl known proxy_auth REQUIRED\n"
            "http_access allow known\nhttp_access deny all")


@contextlib.contextmanager
def squid(auth=OPEN, more=""):
    """Gives host:port."""
    program = tap.need("squid")
    port = peers.free_port()
    os.chmod(".", 0o755)
    write("squid.conf", SQUID.format(port=port, folder=os.getcwd(), auth=auth, more=more))
    give_to("proxy")
    with running([program, "-N", "-f", "squid.conf"], port, "cache.log"):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def tinyproxy(more=""):
    program = tap.need("tinyproxy")
    port = peers.free_port()
    write("tinyproxy.conf", f"Port {port}\nListen 127.0.0.1\nTimeout 30\nMaxClients 20\n"
          f'LogFile "{os.getcwd()}/tinyproxy.log"\nPidFile "{os.getcwd()}/tinyproxy.pid"\n{more}')
    with running([program, "-d", "-c", "tinyproxy.conf"], port, "tinyproxy.log"):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def dante(method="none"):
    program = tap.need("danted")
    port = peers.free_port()
    user = pwd.getpwuid(os.geteuid()).pw_name
    write("danted.conf", f"""
logoutput: {os.getcwd()}/danted.log
internal: 127.0.0.1 port = {port}
external: lo
socksmethod: {method}
clientmethod: none
user.privileged: {user}
user.unprivileged: {user}
client pass {{
    from: 127.0.0.0/8 to: 0.0.0.0/0
}}
socks pass {{
    from: 127.0.0.0/8 to: 0.0.0.0/0
    protocol: tcp
    proxyprotocol: socks_v4 socks_v5
}}
""")
    with running([program, "-f", "danted.conf", "-p", "danted.pid", "-N", "1"], port,
                 "danted.log"):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def microsocks(*words):
    program = tap.need("microsocks")
    port = peers.free_port()
    with running([program, "-i", "127.0.0.1", "-p", port, *words], port):
        yield f"127.0.0.1:{port}"


SOCKS4A = """
use strict; use warnings;
use IO::Select; use IO::Socket::INET; use IO::Socket::Socks qw(:constants);
my $server = IO::Socket::Socks->new(SocksVersion => 4, SocksResolve => 1, Listen => 5,
    ProxyAddr => "127.0.0.1", ProxyPort => $ARGV[0]) or die "no server: $!";
$SIG{CHLD} = "IGNORE";
while (1) {
    my $client = $server->accept() or next;
    next if fork();
    my ($command, $host, $port) = @{$client->command};
    my $origin = IO::Socket::INET->new(PeerHost => $host, PeerPort => $port);
    $client->command_reply($origin ? REQUEST_GRANTED : REQUEST_FAILED, "127.0.0.1", $port);
    exit unless $origin;
    my $both = IO::Select->new($client, $origin);
    while (my @ready = $both->can_read) {
        for my $from (@ready) {
            sysread($from, my $data, 65536) or exit;
            syswrite($from == $client ? $origin : $client, $data);
        }
    }
    exit;
}
"""


@contextlib.contextmanager
def socks4a():
    """Perl's IO::Socket::Socks, which resolves names for SOCKS 4."""
    perl = tap.need("perl")
    if tap.run([perl, "-MIO::Socket::Socks", "-e", "1"]).returncode:
        tap.skip("IO::Socket::Socks is not installed")
    write("socks4a.pl", SOCKS4A)
    port = peers.free_port()
    with running([perl, "socks4a.pl", port], port):
        yield f"127.0.0.1:{port}"
