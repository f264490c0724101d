"""weft through other people's proxies: squid, tinyproxy, dante, microsocks, IO::Socket::Socks.

curl goes the same ways: where it arrives, weft does.
"""

import os
import urllib.parse

import peers
import tap
from way_peers import (body, dante, drive, failed, microsocks, ok, origin, running, socks4a, squid,
                       squid_auth, tinyproxy, write)

BASIC = "kim:" + urllib.parse.quote("o:pen s\u00e9same")
DIGEST = "kim:" + urllib.parse.quote("open sesame")


def same_for_curl(url, proxy, *words):
    """curl's status for the same; 0 where it gets none."""
    done = tap.run([tap.need("curl"), "-s", "-o", "curl.out", "-w", "%{http_code} %{http_connect}",
                    "--cacert", "ca.pem", "-x", proxy, *words, url])
    return done.stdout.decode()


def lacks_credentials(seen):
    for row in seen:
        for name, value in row["fields"]:
            tap.equal(name.lower().startswith("proxy-"), False, f"{name}: {value} at the origin")


def both_kinds(proxy, *words, opened=2):
    """http forwarded and https through a tunnel, twice each; curl likewise."""
    with origin() as (plain, seen), origin(secure=True) as (secure, seen_secure):
        urls = [f"http://localhost:{plain}/a?b=%2F", f"https://localhost:{secure}/c"]
        rows = ok(drive(urls * 2, proxy=proxy, ca_file="ca.pem"))
        tap.equal([row["target"] for row in seen], ["/a?b=%2F"] * 2)
        tap.equal([row["target"] for row in seen_secure], ["/c"] * 2)
        tap.equal(rows[-1]["opened"], opened, "connections")
        ok(drive(urls, plain=True, proxy=proxy, ca_file="ca.pem"))
        lacks_credentials(seen + seen_secure)
        for url in urls:
            tap.equal(same_for_curl(url, proxy, *words).split()[0], "200", "curl's status")


@tap.test(limit=60)
def squid_forwards_and_tunnels():
    peers.make_ca()
    with squid() as at:
        both_kinds("http://" + at)


@tap.test(limit=60)
def squid_takes_bodies_of_every_kind():
    peers.make_ca()
    with squid() as at, origin() as (port, seen):
        big = "x" * 300000
        base = f"http://127.0.0.1:{port}"
        rows = drive([{"method": "POST", "url": base + "/big", "content": big},
                      {"method": "PUT", "url": base + "/form", "form": [["a", "b c"]]},
                      {"method": "POST", "url": base + "/expect", "content": "hello",
                       "expect": True}], proxy=at)
        ok(rows)
        tap.equal([row["body"] for row in seen], [big, "a=b+c", "hello"])


@tap.test(limit=60)
def squid_asks_for_basic():
    peers.make_ca()
    with squid(squid_auth("basic")) as at:
        both_kinds(f"http://{BASIC}@{at}", "-U", BASIC)
        with origin() as (plain, seen), origin(secure=True) as (secure, _):
            urls = [f"http://localhost:{plain}/", f"https://localhost:{secure}/"]
            for user in ("", "kim:wrong@"):
                rows = drive(urls, proxy=f"http://{user}{at}", ca_file="ca.pem")
                tap.equal(rows[0]["status"], 407)
                failed(rows[1], "WEFT_EPROXY", f"proxy http://{at}: 407 Proxy Authentication")
                tap.equal("wrong" in rows[1]["message"], False)
            tap.equal(seen, [])


@tap.test(limit=60)
def squid_asks_for_digest():
    peers.make_ca()
    with squid(squid_auth("digest")) as at:
        both_kinds(f"http://{DIGEST}@{at}", "--proxy-digest")
        with origin() as (plain, seen), origin(secure=True) as (secure, _):
            urls = [f"http://localhost:{plain}/", f"https://localhost:{secure}/"]
            rows = drive(urls, proxy=f"http://kim:wrong@{at}", ca_file="ca.pem")
            tap.equal(rows[0]["status"], 407)
            failed(rows[1], "WEFT_EPROXY", "407")
            tap.equal(seen, [])
            # The body goes a second time, behind the answer to the challenge.
            ok(drive([{"method": "POST", "url": urls[0], "content": "once more"}],
                     proxy=f"http://{DIGEST}@{at}"))
            tap.equal([row["body"] for row in seen], ["once more"])


@tap.test(limit=60)
def squid_over_tls():
    peers.make_ca()
    port = peers.free_port()
    with squid(more=f"https_port 127.0.0.1:{port} tls-cert=cert.pem tls-key=key.pem") as _:
        both_kinds(f"https://localhost:{port}", "--proxy-cacert", "ca.pem")
        with origin(secure=True) as (secure, _seen):
            rows = drive([f"https://localhost:{secure}/"], proxy=f"https://localhost:{port}")
            failed(rows[0], "WEFT_ETLS_VERIFY", f"proxy https://localhost:{port}")


@tap.test(limit=60)
def squid_says_why_it_cannot():
    peers.make_ca()
    with squid("acl Safe port 1\nhttp_access deny CONNECT\nhttp_access allow all") as at:
        nobody = peers.free_port()
        rows = drive([f"https://localhost:{nobody}/", f"http://127.0.0.1:{nobody}/"], proxy=at)
        failed(rows[0], "WEFT_EPROXY", f"proxy http://{at}: 403 Forbidden")
        tap.equal(rows[1]["status"], 503)
        tap.has(body(1).decode(errors="replace"), "ERR_CONNECT_FAIL")
        tap.equal(same_for_curl(f"https://localhost:{nobody}/", at).split()[1], "403")


@tap.test(limit=60)
def tinyproxy_forwards_and_tunnels():
    peers.make_ca()
    with tinyproxy() as at:
        # It closes after each request that it forwards.
        both_kinds("http://" + at, opened=3)


@tap.test(limit=60)
def tinyproxy_asks_for_basic():
    peers.make_ca()
    with tinyproxy("BasicAuth kim secret\n") as at:
        both_kinds(f"http://kim:secret@{at}", opened=3)
        with origin(secure=True) as (secure, _seen):
            rows = drive([f"https://localhost:{secure}/"], proxy=at, ca_file="ca.pem")
            failed(rows[0], "WEFT_EPROXY", f"proxy http://{at}: 407")


@tap.test(limit=60)
def tinyproxy_refuses_a_port():
    peers.make_ca()
    with tinyproxy("ConnectPort 443\n") as at:
        rows = drive([f"https://localhost:{peers.free_port()}/"], proxy=at)
        failed(rows[0], "WEFT_EPROXY", "403")


def every_socks(at, kinds, user=""):
    with origin() as (plain, seen), origin(secure=True) as (secure, _seen):
        for kind in kinds:
            urls = [f"http://127.0.0.1:{plain}/{kind}", f"http://localhost:{plain}/{kind}",
                    f"https://localhost:{secure}/{kind}"]
            proxy = f"{kind}://{user}{at}"
            ok(drive(urls, proxy=proxy, ca_file="ca.pem"))
            tap.equal([row["target"] for row in seen], ["/" + kind] * 2)
            ok(drive(urls, plain=True, proxy=proxy, ca_file="ca.pem"))
            tap.equal(same_for_curl(urls[2], proxy).split()[0], "200", f"curl by {kind}")
            seen.clear()


def dante_and_names_in_socks4(at):
    """dante 1.4.2 refuses them, of curl too."""
    proxy = f"socks4a://{at}"
    with origin() as (port, _seen):
        url = f"http://localhost:{port}/"
        taken = same_for_curl(url, proxy).split()[0] == "200"
        row = drive([url], proxy=proxy)[0]
        if taken:
            ok([row])
        else:
            failed(row, "WEFT_EPROXY", "SOCKS 4: request rejected or failed (91)")
        ok(drive([f"http://127.0.0.1:{port}/"], proxy=proxy))


@tap.test(limit=60)
def dante_speaks_every_socks():
    peers.make_ca()
    with dante() as at:
        every_socks(at, ["socks4", "socks5", "socks5h"])
        dante_and_names_in_socks4(at)
        nobody = peers.free_port()
        for kind, says in (("socks4", "SOCKS 4: request rejected or failed (91)"),
                           ("socks5", "SOCKS 5: connection refused (5)")):
            failed(drive([f"http://127.0.0.1:{nobody}/"], proxy=f"{kind}://{at}")[0],
                   "WEFT_EPROXY", f"proxy {kind}://{at}", says)
        failed(drive(["http://no-such-host.invalid/"], proxy=f"socks5h://{at}")[0], "WEFT_EPROXY",
               "SOCKS 5: ")


@tap.test(limit=60)
def dante_refuses_whom_it_does_not_know():
    peers.make_ca()
    with dante("username") as at, origin() as (port, seen):
        url = f"http://127.0.0.1:{port}/"
        failed(drive([url], proxy=f"socks5://nobody-of-that-name:wrong@{at}")[0], "WEFT_EPROXY",
               "user name or password refused")
        failed(drive([url], proxy=f"socks5://{at}")[0], "WEFT_EPROXY", "wants a user name")
        tap.equal(seen, [])


@tap.test(limit=60)
def microsocks_asks_for_a_password():
    peers.make_ca()
    with microsocks("-u", "kim", "-P", "secret") as at:
        every_socks(at, ["socks5", "socks5h"], "kim:secret@")
        row = drive(["http://127.0.0.1:1/"], proxy=f"socks5h://kim:wrong@{at}")[0]
        failed(row, "WEFT_EPROXY", f"proxy socks5h://{at}", "user name or password refused")


@tap.test(limit=60)
def names_go_through_socks4a():
    peers.make_ca()
    with socks4a() as at:
        every_socks(at, ["socks4a", "socks4"])
        for url in ("http://no-such-host.invalid/", f"http://localhost:{peers.free_port()}/"):
            row = drive([url], proxy=f"socks4a://{at}")[0]
            failed(row, "WEFT_EPROXY", "SOCKS 4: request rejected or failed (91)")


NGINX = """
    server {{
        listen 127.0.0.1:{port} ssl http2;
        ssl_certificate cert.pem;
        ssl_certificate_key key.pem;
        location / {{ return 200 "$server_protocol $host $request_uri"; }}
    }}
"""


@tap.test(limit=60)
def http2_goes_through_tunnels():
    program = tap.need("nginx")
    peers.make_ca()
    os.makedirs("tmp", exist_ok=True)
    port = peers.free_port()
    over_tls = peers.free_port()
    write("nginx.conf", peers.nginx_conf(NGINX.format(port=port)))
    more = f"https_port 127.0.0.1:{over_tls} tls-cert=cert.pem tls-key=key.pem"
    with running([program, "-p", ".", "-c", "nginx.conf"], port), squid(more=more) as one, \
            microsocks() as two:
        for proxy in (f"http://{one}", f"https://localhost:{over_tls}", f"socks5h://{two}"):
            rows = ok(drive([f"https://localhost:{port}/{n}" for n in range(3)], proxy=proxy,
                            ca_file="ca.pem", http2=True))
            tap.equal([row["version"] for row in rows], ["HTTP/2"] * 3)
            tap.equal(body(2), b"HTTP/2.0 localhost /2")
            tap.equal(rows[-1]["opened"], 1, "connections")


@tap.test(limit=60)
def program_goes_by_the_environment():
    peers.make_ca()
    with tinyproxy() as at, origin() as (plain, seen), origin(secure=True) as (secure, seen_secure):
        environment = {"PATH": "", "http_proxy": at, "HTTPS_PROXY": f"http://{at}"}
        for url in (f"http://localhost:{plain}/a", f"https://localhost:{secure}/b"):
            done = tap.run([tap.weft(), "--cacert", "ca.pem", url], env=environment)
            tap.equal(done.returncode, 0, done.stderr.decode())
        with open("tinyproxy.log", encoding="utf-8") as file:
            log = file.read()
        tap.has(log, f"GET http://localhost:{plain}/a")
        tap.has(log, f"CONNECT localhost:{secure}")
        environment["no_proxy"] = "127.0.0.0/8, localhost"
        done = tap.run([tap.weft(), f"http://localhost:{plain}/c"], env=environment)
        tap.equal(done.returncode, 0, done.stderr.decode())
        tap.equal([row["target"] for row in seen + seen_secure], ["/a", "/c", "/b"])
        with open("tinyproxy.log", encoding="utf-8") as file:
            tap.equal("/c" in file.read(), False, "past the proxy")


@tap.test(limit=60)
def one_client_goes_many_ways():
    """Each request by another proxy, and straight: nobody's credentials reach anybody else."""
    peers.make_ca()
    with squid(squid_auth("basic")) as one, microsocks() as two, origin() as (port, seen):
        url = f"http://127.0.0.1:{port}/"
        ways = [f"http://{BASIC}@{one}", f"socks5://{two}", "", f"http://{BASIC}@{one}"]
        rows = ok(drive([{"url": url, "proxy": way} for way in ways]))
        tap.equal(rows[-1]["opened"], 3, "connections")
        lacks_credentials(seen)


tap.main()
