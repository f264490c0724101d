"""Other people's clients against weft serve: curl, Python's requests, httpx, aiohttp and urllib."""

import asyncio
import importlib
import json
import os
import urllib.error
import urllib.request

import peers
import tap


def module(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return tap.skip(f"Python's {name} is not installed")


def curl(*words):
    return tap.run([tap.need("curl"), "-sS", "--noproxy", "*", *words])


@tap.test
def curl_reads_and_sends():
    with peers.echo() as base:
        done = curl(base + "/json/7")
        tap.equal((done.returncode, json.loads(done.stdout)["id"]), (0, 7))
        done = curl("-d", "a=1", base + "/echo")
        tap.equal(json.loads(done.stdout)["data"], "a=1")
        done = curl("-H", "Transfer-Encoding: chunked", "-d", "chunked", base + "/echo")
        tap.equal(json.loads(done.stdout)["data"], "chunked")
        done = curl("-I", base + "/bytes/1000")
        tap.has(done.stdout.lower(), b"content-length: 1000\r\n")
        tap.equal(len(curl(base + "/bytes/1000000").stdout), 1000000)
        done = curl("-L", "-w", "%{num_redirects} %{http_code}", "-o", "/dev/null",
                    base + "/redirect/3")
        tap.equal(done.stdout, b"3 200")


@tap.test
def curl_sends_a_large_body():
    data = os.urandom(500000).hex()[:900000]
    with open("body", "w", encoding="ascii") as file:
        file.write(data)
    with peers.echo() as base:
        done = curl("--data-binary", "@body", base + "/echo")  # with Expect: 100-continue
        tap.equal(json.loads(done.stdout)["data"] == data, True, "the body came back")
        with open("body", "a", encoding="ascii") as file:
            file.write("x" * 1000000)
        done = curl("--data-binary", "@body", "-w", "%{http_code}", "-o", "/dev/null",
                    base + "/echo")
        tap.equal(done.stdout, b"413")


@tap.test
def curl_keeps_the_connection():
    with peers.echo() as base:
        done = curl("-w", "%{num_connects} ", "-o", "/dev/null", base + "/json/1",
                    "-o", "/dev/null", base + "/json/2", "-o", "/dev/null", base + "/json/3")
    tap.equal(done.stdout, b"1 0 0 ")


@tap.test
def curl_resumes_a_file():
    data = os.urandom(10000)
    os.mkdir("www")
    with open("www/file.bin", "wb") as file:
        file.write(data)
    with open("copy", "wb") as file:
        file.write(data[:4000])
    with peers.serve("www") as base:
        done = curl("-C", "-", "-o", "copy", base + "/file.bin")
        tap.equal(done.returncode, 0, done.stderr.decode())
        done = curl("-z", "www/file.bin", "-w", "%{http_code}", base + "/file.bin")
        tap.equal(done.stdout, b"304")
    with open("copy", "rb") as file:
        tap.equal(file.read() == data, True, "the resumed file")


@tap.test
def urllib_reads():
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with peers.echo() as base:
        with opener.open(base + "/json/7") as response:
            tap.equal(json.load(response)["id"], 7)
        try:
            opener.open(base + "/status/418")
            raise AssertionError("418 is no error")
        except urllib.error.HTTPError as error:
            tap.equal(error.code, 418)


@tap.test
def requests_session():
    requests = module("requests")
    with peers.echo() as base, requests.Session() as session:
        session.trust_env = False
        for number in range(20):
            tap.equal(session.get(f"{base}/json/{number}").json()["id"], number)
        tap.equal(session.post(base + "/users", json={"name": "Käse"}).json()["name"], "Käse")
        tap.equal(session.get(base + "/redirect/2").json()["id"], 1)
        tap.equal(session.put(base + "/anything/x", data=iter([b"a", b"b"])).json()["data"], "ab")
        tap.equal(session.get(base + "/status/503").status_code, 503)


@tap.test
def httpx_client():
    httpx = module("httpx")
    with peers.echo() as base, httpx.Client(trust_env=False) as client:
        for number in range(20):
            tap.equal(client.get(f"{base}/json/{number}").json()["id"], number)
        with client.stream("GET", base + "/bytes/300000") as response:
            tap.equal(sum(len(chunk) for chunk in response.iter_bytes()), 300000)


@tap.test
def aiohttp_many_at_once():
    aiohttp = module("aiohttp")

    async def get(session, url):
        async with session.get(url) as response:
            return (await response.json())["id"]

    async def all_of_them(base):
        async with aiohttp.ClientSession() as session:
            return await asyncio.gather(*[get(session, f"{base}/json/{n}") for n in range(100)])

    with peers.echo() as base:
        tap.equal(asyncio.run(all_of_them(base)), list(range(100)))


tap.main()
