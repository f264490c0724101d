"""Servers and terminals for tests of the program: weft's own echo server, raw bytes, TLS, a pty."""

import contextlib
import fcntl
import os
import pty
import random
import re
import select
import signal
import socket
import ssl
import struct
import subprocess
import termios
import threading
import time

import tap


@contextlib.contextmanager
def serve(*arguments):
    """Starts weft serve; gives its base URL, without a slash at the end."""
    process = subprocess.Popen([tap.weft(), "serve", *arguments, "--port", "0"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        line = process.stdout.readline().decode()
        found = re.search(r"(http://\S+)/ ", line)
        if not found:
            raise AssertionError(f"weft serve said {line!r}")
        yield found.group(1)
    finally:
        process.send_signal(signal.SIGINT)
        process.stdout.close()
        try:
            process.wait(1)  # it would wait longer for handlers that sleep
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def echo():
    return serve("--echo")


def _answer(connection, reply, seen, unasked):
    with contextlib.suppress(OSError), connection:
        connection.settimeout(10)
        if unasked:
            connection.sendall(reply)
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(65536)
            if not data:
                break
            head += data
        seen.append(head)
        if unasked:
            return
        chosen = reply(head) if callable(reply) else reply
        if chosen is None:  # never answers
            while connection.recv(65536):
                pass
            return
        connection.sendall(chosen)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)


def _accept(listener, context, reply, seen, unasked):
    while True:
        try:
            connection, _peer = listener.accept()
        except OSError:
            return
        if context:
            try:
                connection = context.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                continue
        threading.Thread(target=_answer, args=(connection, reply, seen, unasked),
                         daemon=True).start()


@contextlib.contextmanager
def raw(reply, context=None, unasked=False):
    """A server that answers every connection with these bytes (or a function's of the request
    head; None: never).  unasked: before anything was said.  Gives host:port and the list of
    request heads."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []
    thread = threading.Thread(target=_accept, args=(listener, context, reply, seen, unasked),
                              daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}", seen
    finally:
        # accept() does not notice close() from another thread.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def reply(body, status="200 OK", fields=""):
    """The bytes of a whole reply."""
    body = body.encode() if isinstance(body, str) else body
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    return head.encode() + body


given_ports = set()


def _first_ephemeral():
    """From here on ports are taken by whoever asks for any."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            return int(file.read().split()[0])
    return 32768


def free_port():
    """A port on which nobody listens, another one each time, and none that the system gives to
    others before it is used."""
    end = _first_ephemeral()
    while True:
        wanted = random.randrange(11000, end) if end > 12000 else 0
        with contextlib.suppress(OSError), \
                socket.create_server(("127.0.0.1", wanted)) as listener:
            port = listener.getsockname()[1]
            if port not in given_ports:
                given_ports.add(port)
                return port


def nginx_conf(http):
    """For nginx in the foreground, with all of its files in the current folder; http: what stands in that section."""
    # Its workers would otherwise change to a user who may not read this folder.
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""
daemon off;
{user}
pid nginx.pid;
error_log stderr crit;
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp;
    uwsgi_temp_path tmp; scgi_temp_path tmp;
{http}
}}
"""


def make_ca(names="DNS:localhost,IP:127.0.0.1", days=2):
    """A private CA and a certificate of it, in the current folder: ca.pem, cert.pem, key.pem."""
    openssl = tap.need("openssl")

    def call(*words):
        done = tap.run([openssl, *words])
        if done.returncode:
            raise AssertionError(done.stderr.decode())

    call("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", "ca.key", "-out", "ca.pem", "-days", "3", "-subj", "/CN=weft test CA")
    call("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", "key.pem", "-out", "cert.csr", "-subj", "/CN=weft test")
    with open("ext", "w", encoding="ascii") as file:
        file.write(f"subjectAltName={names}\n")
    call("x509", "-req", "-in", "cert.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out",
         "cert.pem", "-days", str(days), "-extfile", "ext", "-CAcreateserial")


def tls_context():
    """For raw(): serves with cert.pem and key.pem."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("cert.pem", "key.pem")
    return context


def terminal(command, columns=120, act=None, **environment):
    """Runs a command on a terminal of its own.  act(process, text so far) is called now and then.
    Gives what it wrote, and its exit code."""
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "NO_COLOR": "", **environment}
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([str(word) for word in command], stdin=slave, stdout=slave,
                               stderr=slave, env=env, start_new_session=True)
    os.close(slave)
    output = b""
    with contextlib.suppress(OSError):
        while True:
            if act:
                act(process, output)
            if not select.select([master], [], [], 0.1)[0]:
                continue
            data = os.read(master, 65536)
            if not data:
                break
            output += data
    os.close(master)
    return output.decode(errors="replace").replace("\r\n", "\n"), process.wait()


def peak_memory(command):
    """Runs a command; gives its exit code, and the most memory it had, in kB.  (What wait4 tells
    includes the memory of this interpreter, of which the command was forked.)"""
    with open(command[0], "rb") as file:
        if b"__asan_init" in file.read():
            tap.skip("AddressSanitizer keeps memory")
    peak = 0
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            with contextlib.suppress(OSError):
                with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
                    found = re.search(r"VmHWM:\s+(\d+) kB", file.read())
                peak = int(found.group(1)) if found else peak
            time.sleep(0.01)
    return process.returncode, peak
