#!/usr/bin/env python3
"""What a server sees of the same calls by weft, by curl and by Python's requests.

Method, target, fields and body of every request, redirects included, are compared; what the
peers do differently, from weft or from one another, stands in DIFFERENT with its reason.
"""

import contextlib
import json
import os
import socket
import subprocess
import threading
import urllib.parse

import tap

# How a program calls itself, and what it can decode, is its own affair.
OWN = {"user-agent", "accept", "accept-encoding", "connection", "host"}

# name: calls, in order, of one client
CALLS = {
    "get": [{"url": "/"}],
    "path_is_sent_as_it_is": [{"url": "/a%2Fb/c%20d/%7Eu/x+y;z=1,2"}],
    "double_slashes_stay": [{"url": "//a//b/"}],
    "presigned_query_stays": [{"url": "/o?X-Sig=a%2Bb%2F%3D&X-Date=1&flag&empty="}],
    "fragment_is_not_sent": [{"url": "/p?q=1#frag"}],
    "params": [{"url": "/p", "params": [["a", "1"], ["b", "x y"], ["c", "&=+/?#"]]}],
    "params_behind_a_query": [{"url": "/p?z=0", "params": [["a", "1"]]}],
    "params_repeat": [{"url": "/p", "params": [["a", "1"], ["a", "2"]]}],
    "params_not_ascii": [{"url": "/p", "params": [["\u00e9", "\u65e5"]]}],
    "head": [{"method": "HEAD", "url": "/"}],
    "delete": [{"method": "DELETE", "url": "/x"}],
    "options": [{"method": "OPTIONS", "url": "/x"}],
    "own_method": [{"method": "PURGE", "url": "/x"}],
    "fields": [{"url": "/", "headers": [["X-One", "1"], ["x-two", "a, b"]]}],
    "form": [{"method": "POST", "url": "/", "form": [["a", "1 2"], ["b", "&=+%"], ["a", "\u00e9"]]}],
    "content": [{"method": "POST", "url": "/", "content": "plain \u00e9", "content_type": "text/plain"}],
    "put": [{"method": "PUT", "url": "/", "content": "x" * 5000, "content_type": "text/plain"}],
    "patch": [{"method": "PATCH", "url": "/", "content": "{}", "content_type": "text/plain"}],
    "json": [{"method": "POST", "url": "/", "json": {"a": [1, 2.5, None, True], "b": "x"}}],
    "post_of_nothing": [{"method": "POST", "url": "/"}],
    "basic": [{"url": "/", "username": "user", "password": "pa:ss"}],
    "basic_not_ascii": [{"url": "/", "username": "us\u00e9r", "password": "p\u00e4ss"}],
    "cookie_is_sent_back": [{"url": "/cookie/a/b"}, {"url": "/cookie/a/c"}, {"url": "/other"}],
    "cookie_of_a_redirect": [{"url": "/redirect-cookie", "follow": True}],
}
for status in (301, 302, 303, 307, 308):
    CALLS[f"redirect_{status}_of_get"] = [{"url": f"/redirect/{status}", "follow": True}]
    CALLS[f"redirect_{status}_of_post"] = [
        {"method": "POST", "url": f"/redirect/{status}", "content": "body",
         "content_type": "text/plain", "follow": True}]
for n, location in enumerate(("/abs?x=1", "rel", "../up", "?q", "//{host}/net", "a%20b", "/d#f")):
    CALLS[f"location_{n}"] = [{"url": "/to/=" + urllib.parse.quote(location, safe=""),
                               "follow": True}]

# (name, peer): reason. Only these may differ.
DIFFERENT = {
    ("params_not_ascii", "curl"): "--url-query encodes values only",
    ("cookie_is_sent_back", "curl"): "to curl, 127.0.0.1 is as safe as https: cookies marked Secure",
    ("redirect_301_of_post", "curl"): "a Content-Type given with -H outlives its body",
    ("redirect_302_of_post", "curl"): "the same",
    ("redirect_303_of_post", "curl"): "the same",
    ("post_of_nothing", "curl"): "curl -X POST sends no Content-Length",
    ("basic_not_ascii", "requests"): "requests sends user names in ISO-8859-1, RFC 7617 says UTF-8",
    ("path_is_sent_as_it_is", "requests"): "requests decodes what need not be encoded",
    ("delete", "requests"): "requests says Content-Length: 0 for all methods but GET and HEAD",
    ("options", "requests"): "the same",
    ("own_method", "requests"): "the same",
}


class Recorder:
    """A server that keeps what it is asked, byte by byte."""

    def __init__(self):
        self.seen = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.host = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError, ValueError), connection, connection.makefile("rb") as file:
            while True:
                line = file.readline().decode("latin-1").rstrip("\r\n")
                if not line:
                    return
                method, target, _ = line.split(" ")
                fields = []
                while (line := file.readline().decode("latin-1").rstrip("\r\n")):
                    name, value = line.split(":", 1)
                    fields.append((name.lower(), value.strip()))
                body = self._body(file, dict(fields))
                self.seen.append((method, target, fields, body))
                connection.sendall(self._reply(method, target))

    @staticmethod
    def _body(file, fields):
        if fields.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while (size := int(file.readline().split(b";")[0], 16)) > 0:
                body += file.read(size)
                file.readline()
            file.readline()
            return body
        return file.read(int(fields.get("content-length", 0)))

    def _reply(self, method, target):
        path = urllib.parse.urlsplit("http://x" + target).path if target[0] == "/" else target
        head = ""
        status = 200
        if path.startswith("/redirect/"):
            status = int(path.rsplit("/", 1)[1])
            head = "Location: /landed\r\n"
        elif path == "/redirect-cookie":
            status = 302
            head = "Location: /landed\r\nSet-Cookie: hop=1; Path=/\r\n"
        elif path.startswith("/to/=") and "?" not in target:
            status = 302
            location = urllib.parse.unquote(target[5:]).replace("{host}", self.host)
            head = f"Location: {location}\r\n"
        elif path.startswith("/cookie"):
            head = "Set-Cookie: a=1\r\nSet-Cookie: b=\"2 3\"; Path=/\r\nSet-Cookie: s=4; Secure\r\n"
        body = "" if method == "HEAD" else "ok"
        return f"HTTP/1.1 {status} X\r\n{head}Content-Length: 2\r\n\r\n{body}".encode()


def by_weft(calls, base):
    rows = [dict(call, url=base + call["url"], method=call.get("method", "GET")) for call in calls]
    with open("calls.json", "w", encoding="utf-8") as file:
        json.dump(rows, file)
    done = tap.run([os.path.join(tap.BUILD, "tests", "interop", "request_driver"), "calls.json"])
    tap.equal(done.returncode, 0, done.stderr.decode())


def curl_arguments(call, base):
    arguments = ["-X", call["method"]] if call.get("method", "GET") not in ("GET", "HEAD") else []
    if call.get("method") == "HEAD":
        arguments.append("-I")
    if call.get("follow"):
        arguments.append("-L")
        if call.get("method") == "POST":
            arguments = ["-L"]  # -X would name the method of every hop
    for name, value in call.get("headers", ()):
        arguments += ["-H", f"{name}: {value}"]
    for name, value in call.get("params", ()):
        arguments += ["--url-query", f"{name}={value}"]
    for name, value in call.get("form", ()):
        arguments += ["--data-urlencode", f"{name}={value}"]
    body = call.get("content")
    kind = call.get("content_type")
    if "json" in call:
        body = json.dumps(call["json"], separators=(",", ":"))
        kind = "application/json"
    if body is not None:
        arguments += ["--data-binary", body, "-H", f"Content-Type: {kind}"]
    if "username" in call:
        arguments += ["-u", f"{call['username']}:{call['password']}"]
    return arguments + ["--path-as-is", "-g", base + call["url"]]


def by_curl(calls, base):
    for call in calls:
        done = tap.run([tap.need("curl"), "-s", "-q", "-o", "/dev/null", "-b", "jar", "-c", "jar",
                        *curl_arguments(call, base)])
        tap.equal(done.returncode, 0)


def by_requests(calls, base):
    import requests
    with requests.Session() as session:
        session.trust_env = False
        for call in calls:
            body = call.get("content")
            headers = dict(call.get("headers", ()))
            if body is not None:
                headers["Content-Type"] = call["content_type"]
                body = body.encode()
            auth = (call["username"], call["password"]) if "username" in call else None
            session.request(call.get("method", "GET"), base + call["url"], headers=headers,
                            params=call.get("params"), data=call.get("form", body),
                            json=call.get("json"), auth=auth,
                            allow_redirects=call.get("follow", False)).close()


def normal(request):
    """What must be the same: a query and a form by their pairs, JSON by its value."""
    method, target, fields, body = request
    kept = sorted((name, value) for name, value in fields if name not in OWN)
    kind = dict(kept).get("content-type", "")
    if kind == "application/x-www-form-urlencoded":
        body = urllib.parse.parse_qsl(body.decode(), keep_blank_values=True)
        kept = [(name, value) for name, value in kept if name != "content-length"]
    elif kind == "application/json":
        body = json.loads(body)
        kept = [(name, value) for name, value in kept if name != "content-length"]
    cookies = dict(kept).get("cookie")
    if cookies is not None:
        kept = [(n, v) for n, v in kept if n != "cookie"]
        kept.append(("cookie", sorted(cookies.split("; "))))
    path, mark, query = target.partition("?")
    return method, path + mark, urllib.parse.unquote(query), kept, body


def seen_of(calls, drive):
    recorder = Recorder()
    drive(calls, "http://" + recorder.host)
    recorder.socket.close()
    text = [normal(request) for request in recorder.seen]
    return json.loads(json.dumps(text, default=repr).replace(recorder.host, "HOST"))


def compare(peer, drive):
    problems = []
    for name, calls in CALLS.items():
        ours = seen_of(calls, by_weft)
        theirs = seen_of(calls, drive)
        if os.path.exists("jar"):
            os.unlink("jar")
        differs = ours != theirs
        if differs and (name, peer) not in DIFFERENT:
            problems.append(f"{name}\n  weft: {ours}\n  {peer}: {theirs}")
        if not differs and (name, peer) in DIFFERENT:
            problems.append(f"{name}: {peer} does the same, and DIFFERENT says otherwise")
    if problems:
        raise AssertionError("\n".join(problems))


@tap.test(limit=60)
def requests_are_those_of_curl():
    tap.need("curl")
    compare("curl", by_curl)


@tap.test(limit=60)
def requests_are_those_of_requests():
    try:
        import requests  # noqa: F401
    except ImportError:
        tap.skip("python3-requests is not installed")
    compare("requests", by_requests)


tap.main()
