"""The client against Apache, as an origin and as a proxy, and nginx behind a Unix socket."""

import contextlib
import os
import pwd

import peers
import tap
from way_peers import body, drive, failed, fields, ok, origin, running, write

MODULES = ("mpm_event", "unixd", "authn_core", "authz_core", "authz_user", "authz_host",
           "authn_file", "auth_basic", "auth_digest", "mime", "alias", "headers", "deflate",
           "filter", "reflector", "socache_shmcb", "ssl", "proxy", "proxy_http",
           "proxy_connect")
# Built into the server in some versions.
OPTIONAL = ("mpm_event", "unixd")

CONFIG = """
ServerName localhost
ServerRoot {folder}
PidFile apache.pid
ErrorLog error.log
Mutex file:{folder} default
{modules}
{user}
StartServers 1
ThreadsPerChild 8
MaxRequestWorkers 8
TypesConfig /etc/mime.types
Listen 127.0.0.1:{plain}
Listen 127.0.0.1:{tls}
Listen 127.0.0.1:{mutual}
DocumentRoot {folder}/www
KeepAlive On
AddOutputFilterByType DEFLATE text/plain
<Directory {folder}/www>
    Require all granted
</Directory>
<Location /basic>
    AuthType Basic
    AuthName "of basic"
    AuthUserFile {folder}/basic.users
    Require valid-user
</Location>
<Location /digest>
    AuthType Digest
    AuthName "of digest"
    AuthDigestDomain /digest
    AuthUserFile {folder}/digest.users
    AuthDigestNonceLifetime 1
    Require valid-user
</Location>
<Location /reflect>
    SetHandler reflector
    ReflectorHeader X-Given
</Location>
SSLSessionCache shmcb:{folder}/sessions(512000)
Redirect 301 /moved /text.txt
Redirect 410 /gone
ProxyRequests On
AllowCONNECT 1-65535
<Proxy "*">
    AuthType Digest
    AuthName "of the proxy"
    AuthUserFile {folder}/proxy.users
    Require valid-user
</Proxy>
<VirtualHost 127.0.0.1:{tls}>
    SSLEngine on
    SSLCertificateFile {folder}/cert.pem
    SSLCertificateKeyFile {folder}/key.pem
    ProxyRequests Off
    Header set X-Resumed "expr=%{{SSL_SESSION_RESUMED}}"
    Header set X-Protocol "expr=%{{SSL_PROTOCOL}}"
</VirtualHost>
<VirtualHost 127.0.0.1:{mutual}>
    SSLEngine on
    SSLCertificateFile {folder}/cert.pem
    SSLCertificateKeyFile {folder}/key.pem
    SSLCACertificateFile {folder}/ca.pem
    SSLVerifyClient require
    ProxyRequests Off
    Header set X-Kim "expr=%{{SSL_CLIENT_S_DN_CN}}"
</VirtualHost>
"""


def loaded():
    """Lines for the modules that this Apache has as files."""
    lines = []
    for name in MODULES:
        path = f"/usr/lib/apache2/modules/mod_{name}.so"
        if os.path.exists(path):
            lines.append(f"LoadModule {name}_module {path}")
        elif name not in OPTIONAL:
            tap.skip(f"Apache has no mod_{name}")
    return "\n".join(lines)


def make_site():
    peers.make_ca()
    os.makedirs("www", exist_ok=True)
    write("www/text.txt", "\n".join(os.urandom(32).hex() for _ in range(5000)))
    for name in ("basic", "digest"):
        os.makedirs(f"www/{name}", exist_ok=True)
        write(f"www/{name}/page", name)
    known = tap.run([tap.need("openssl"), "passwd", "-apr1", "pw"])
    write("basic.users", "kim:" + known.stdout.decode())
    for name, realm in (("digest", "of digest"), ("proxy", "of the proxy")):
        hashed = tap.run(["/usr/bin/python3", "-c", "import hashlib, sys;"
                          "print(hashlib.md5(sys.argv[1].encode()).hexdigest())",
                          f"kim:{realm}:pw"])
        write(f"{name}.users", f"kim:{realm}:{hashed.stdout.decode()}")


@contextlib.contextmanager
def apache():
    """Gives the ports without TLS, with it, and with certificates of clients."""
    program = tap.need("apache2")
    make_site()
    ports = [peers.free_port() for _ in range(3)]
    names = dict(zip(("plain", "tls", "mutual"), ports))
    user = ""
    if os.geteuid() == 0:
        os.chmod(".", 0o755)
        with contextlib.suppress(KeyError):
            pwd.getpwnam("www-data")
            user = "User www-data\nGroup www-data"
    write("apache.conf", CONFIG.format(folder=os.getcwd(), modules=loaded(), user=user, **names))
    with running([program, "-X", "-f", f"{os.getcwd()}/apache.conf"], ports[0], "error.log"):
        yield ports


def make_client_certificate():
    """kim.pem, of the same authority."""
    openssl = tap.need("openssl")
    for words in (("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                   "-keyout", "kim.key", "-out", "kim.csr", "-subj", "/CN=kim"),
                  ("x509", "-req", "-in", "kim.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out",
                   "kim.crt", "-days", "2", "-CAcreateserial")):
        tap.equal(tap.run([openssl, *words]).returncode, 0)
    with open("kim.pem", "wb") as out:
        for name in ("kim.crt", "kim.key"):
            with open(name, "rb") as file:
                out.write(file.read())


@tap.test(limit=60)
def apache_keeps_compresses_and_redirects():
    with apache() as (plain, _tls, _mutual):
        base = f"http://127.0.0.1:{plain}"
        rows = drive([base + "/text.txt", base + "/moved", base + "/gone", base + "/none"],
                     follow=True)
        tap.equal([row["status"] for row in rows], [200, 200, 410, 404])
        tap.equal(fields(rows[0], "content-encoding"), ["gzip"])
        tap.equal(fields(rows[0], "transfer-encoding"), ["chunked"])
        tap.equal(rows[1]["url"], base + "/text.txt")
        tap.equal(rows[-1]["opened"], 1, "connections")
        with open("www/text.txt", "rb") as file:
            tap.equal(body(0) == file.read(), True, "the bytes of the page")


@tap.test(limit=60)
def apache_sends_100_continue_and_the_body_back():
    with apache() as (plain, _tls, _mutual):
        url = f"http://127.0.0.1:{plain}/reflect"
        big = "0123456789" * 50000
        rows = ok(drive([{"method": "POST", "url": url, "content": big, "expect": True},
                         {"method": "POST", "url": url, "content": "small"}]))
        tap.equal(body(0) == big.encode(), True, "the body")
        tap.equal(body(1), b"small")
        tap.equal(rows[-1]["opened"], 1, "connections")


@tap.test(limit=60)
def apache_asks_for_basic_and_digest():
    with apache() as (plain, _tls, _mutual):
        base = f"http://127.0.0.1:{plain}"
        for kind in ("basic", "digest"):
            known = {"username": "kim", "digest": kind == "digest"}
            ok(drive([f"{base}/{kind}/page"] * 3, password="pw", **known))
            tap.equal(body(2), kind.encode())
            tap.equal(drive([f"{base}/{kind}/page"], password="no", **known)[0]["status"], 401)


@tap.test(limit=60)
def apache_calls_a_nonce_stale():
    """Its nonces live for a second here: later ones are answered anew, and the caller sees none."""
    with apache() as (plain, _tls, _mutual):
        with origin() as (_port, _seen):
            url = f"http://127.0.0.1:{plain}/digest/page"
            rows = drive([url, {"url": url, "pause_ms": 2500}, url], username="kim", password="pw",
                         digest=True)
            ok(rows)


@tap.test(limit=60)
def apache_by_tls_with_and_without_a_certificate_of_ours():
    with apache() as (_plain, tls, mutual):
        make_client_certificate()
        once = [["Connection", "close"]]
        rows = ok(drive([{"url": f"https://localhost:{tls}/text.txt", "headers": once}] * 2,
                        ca_file="ca.pem"))
        tap.equal(fields(rows[0], "x-protocol"), ["TLSv1.3"])
        tap.equal([fields(row, "x-resumed") for row in rows], [["Initial"], ["Resumed"]])
        url = f"https://localhost:{mutual}/text.txt"
        rows = ok(drive([url], ca_file="ca.pem", cert_file="kim.pem"))
        tap.equal(fields(rows[0], "x-kim"), ["kim"])
        row = drive([url], ca_file="ca.pem")[0]
        tap.equal("error" in row, True, "without a certificate")
        failed(drive([f"https://localhost:{tls}/"])[0], "WEFT_ETLS_VERIFY", "localhost")


@tap.test(limit=60)
def apache_as_a_proxy_with_digest():
    with apache() as (plain, _tls, _mutual), origin() as (port, seen), \
            origin(secure=True) as (secure, seen_secure):
        urls = [f"http://127.0.0.1:{port}/a", f"https://localhost:{secure}/b"]
        ok(drive(urls * 2, proxy=f"http://kim:pw@127.0.0.1:{plain}", ca_file="ca.pem"))
        tap.equal([row["target"] for row in seen + seen_secure], ["/a"] * 2 + ["/b"] * 2)
        for row in seen + seen_secure:
            tap.equal([name for name, _ in row["fields"] if name.lower().startswith("proxy-")], [])
        rows = drive(urls, proxy=f"http://kim:no@127.0.0.1:{plain}", ca_file="ca.pem")
        tap.equal(rows[0]["status"], 407)
        failed(rows[1], "WEFT_EPROXY", "407")


NGINX = """
    gzip on;
    gzip_types text/plain;
    server {{
        listen 127.0.0.1:{port};
        listen unix:{folder}/nginx.socket;
        listen unix:{folder}/secure.socket ssl;
        ssl_certificate cert.pem;
        ssl_certificate_key key.pem;
        root www;
        location /host {{ return 200 "$host $scheme $request_uri"; }}
    }}
"""


@tap.test(limit=60)
def nginx_behind_a_unix_socket():
    program = tap.need("nginx")
    make_site()
    os.makedirs("tmp", exist_ok=True)
    port = peers.free_port()
    write("nginx.conf", peers.nginx_conf(NGINX.format(folder=os.getcwd(), port=port)))
    with running([program, "-p", ".", "-c", "nginx.conf"], port):
        rows = ok(drive(["http://any.example/host?x", "http://any.example/text.txt"],
                        unix_socket="nginx.socket"))
        tap.equal(body(0), b"any.example http /host?x")
        with open("www/text.txt", "rb") as file:
            tap.equal(body(1) == file.read(), True, "the bytes of the page")
        tap.equal(rows[-1]["opened"], 1, "connections")
        ok(drive(["https://localhost/host"], unix_socket="secure.socket", ca_file="ca.pem"))
        tap.equal(body(0), b"localhost https /host")
        failed(drive(["https://any.example/"], unix_socket="secure.socket",
                     ca_file="ca.pem")[0], "WEFT_ETLS_VERIFY", "any.example")
        # The same server under another name: where to connect is said beside the URL.
        ok(drive([f"http://any.example:{port}/host", "http://other.example/host"],
                 resolve=[[f"any.example:{port}", "127.0.0.1"]],
                 connect_to=[["other.example:80", f"127.0.0.1:{port}"]]))
        tap.equal(body(1), b"other.example http /host")


tap.main()
