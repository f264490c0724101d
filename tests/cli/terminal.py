"""What a person sees: the program on a terminal of its own."""

import signal

import peers
import tap

JSON = "Content-Type: application/json\r\n"


def shown(reply, *words, **options):
    with peers.raw(reply) as (host, _seen):
        text, code = peers.terminal([tap.weft(), *words, host], **options)
    return text, code


@tap.test
def reply_is_shown_with_its_head():
    text, code = shown(peers.reply("hello", fields="X-A: b\r\n"), NO_COLOR="1")
    tap.equal(text, "HTTP/1.1 200 OK\nContent-Length: 5\nX-A: b\n\nhello\n")
    tap.equal(code, 0)


@tap.test
def json_is_indented():
    text, _code = shown(peers.reply('{"b":1.0,"a":["Käse"]}', fields=JSON), NO_COLOR="1")
    tap.has(text, '\n\n{\n    "b": 1.0,\n    "a": [\n        "Käse"\n    ]\n}\n')


@tap.test
def colours_are_used_and_can_be_turned_off():
    text, _code = shown(peers.reply('{"a":1}', fields=JSON))
    tap.has(text, "\x1b[32m200")
    tap.has(text, '\x1b[36m"a"\x1b[0m')
    text, _code = shown(peers.reply('{"a":1}', fields=JSON), NO_COLOR="1")
    tap.equal("\x1b" in text, False, "a colour")
    text, _code = shown(peers.reply('{"a":1}', fields=JSON), TERM="dumb")
    tap.equal("\x1b" in text, False, "a colour")


@tap.test
def escapes_of_a_peer_are_shown_not_obeyed():
    evil = "a\x1b]0;title\x07\x9b31mb\rc"
    for fields in ("Content-Type: text/plain\r\n", ""):
        text, _code = shown(peers.reply(evil, fields=fields), NO_COLOR="1")
        tap.has(text, "\n\na\\x1b]0;title\\x07\\u{9b}31mb\\rc\n")
    text, _code = shown(peers.reply(f'{{"{evil}": "{evil}"}}', fields=JSON), NO_COLOR="1")
    tap.has(text, '"a\\x1b]0;title\\x07\\u{9b}31mb\\x0dc": "')
    for text in (text, shown(peers.reply(evil, fields=JSON), NO_COLOR="1")[0]):
        if any(c in text for c in "\x1b\x07\x9b\r"):
            raise AssertionError(f"a control character in {text!r}")


@tap.test
def binary_is_summarised():
    text, _code = shown(peers.reply(b"\x89PNG\0\0\0", fields="Content-Type: image/png\r\n"),
                        NO_COLOR="1")
    tap.has(text, "\n\n<7 bytes of image/png>\n")


@tap.test
def download_tells_its_size():
    with peers.echo() as base:
        text, code = peers.terminal([tap.weft(), "-o", "file", base + "/bytes/300000"])
    tap.equal(code, 0)
    tap.has(text.split("\r")[-1], "file: 300 kB in ")
    tap.equal(text.count("\n"), 1)


@tap.test
def error_status_is_shown_once():
    text, code = shown(peers.reply("gone", "410 Gone"), NO_COLOR="1")
    tap.equal((code, text.count("410")), (4, 1))
    text, _code = shown(peers.reply("", "302 Found", "Location: /x\r\n"), NO_COLOR="1")
    tap.has(text, "302 to /x (-L follows it)\n")


@tap.test
def fetch_paints_one_line_and_leaves_the_summary():
    with peers.echo() as base:
        text, code = peers.terminal([tap.weft(), "fetch", "-c", "2",
                                     *[f"{base}/delay/0.1?{n}" for n in range(8)]])
    tap.equal(code, 0)
    tap.has(text, "/8  ")
    tap.has(text, "[")
    last = text.split("\r\x1b[K")[-1]
    tap.equal(last.split(",")[0], "8 done: 8 ok")
    tap.equal(text.count("\n"), 1)


@tap.test
def fetch_line_fits_a_narrow_terminal():
    with peers.echo() as base:
        text, _code = peers.terminal([tap.weft(), "fetch", "-c", "2",
                                      *[f"{base}/delay/0.1?{n}" for n in range(4)]], columns=20)
    for line in text.replace("\x1b[K", "").split("\n")[0].split("\r"):
        if len(line) > 19 and " done:" not in line:
            raise AssertionError(f"{line!r} is too long")


@tap.test
def ctrl_c_in_fetch_keeps_the_tally():
    state = {"sent": False}

    def interrupt(process, text):
        if b"4/9" in text and not state["sent"]:
            state["sent"] = True
            process.send_signal(signal.SIGINT)

    with peers.echo() as base:
        urls = [f"{base}/json/{n}" for n in range(4)] + [f"{base}/delay/30"] * 5
        text, code = peers.terminal([tap.weft(), "fetch", *urls], act=interrupt)
    tap.equal(code, 130)
    tap.has(text, "interrupted: 4 of 9 done: 4 ok, 0 failed")


tap.main()
