"""WEFT_TRACE: what it writes is JSON, and trace events as Perfetto and Chrome read them."""

import json
import os
import subprocess

import tap

PROGRAM = os.path.join(tap.BUILD, "tests", "interop", "trace_tasks")


def events_of(environment):
    done = tap.run([PROGRAM], env={**os.environ, **environment})
    tap.equal((done.returncode, done.stderr), (0, b""))
    with open(environment["WEFT_TRACE"], encoding="ascii") as file:
        return json.load(file)


def trace():
    return events_of({"WEFT_TRACE": "trace.json"})


@tap.test
def every_event_has_what_its_kind_needs():
    needs = {"b": {"cat", "id", "name", "args"}, "e": {"cat", "id", "name", "args"},
             "X": {"dur", "cat", "name", "args"}, "M": {"name", "args"}}
    events = trace()
    tap.equal({event["ph"] for event in events}, set(needs))
    for event in events:
        missing = ({"pid", "tid", "ts", "ph"} | needs[event["ph"]]) - set(event)
        if missing or event["ts"] < 0 or event.get("dur", 0) < 0:
            raise AssertionError(f"{event}: {missing}")


@tap.test
def every_task_that_began_has_ended():
    events = trace()
    begun, ended = ({event["id"]: event for event in events if event["ph"] == kind}
                    for kind in "be")
    tap.equal(set(begun), set(ended))
    for ident, event in begun.items():
        tap.equal(ended[ident]["name"], event["name"])
        if ended[ident]["ts"] < event["ts"]:
            raise AssertionError(f"{event} ended before it began")
    results = sorted(event["args"]["result"] for event in ended.values()
                     if event["name"] in ("first", "second"))
    tap.equal(results, [-5, -5])


@tap.test
def names_come_back_as_they_were():
    # Bytes above 126 stand for themselves: the file is ASCII whatever a name is.
    names = {event["name"] for event in trace() if event["ph"] == "b"}
    if "\"nap\" \\ \t\xc3\xa4\x7f" not in names:
        raise AssertionError(names)


@tap.test
def steps_of_a_thread_do_not_overlap():
    threads = {}
    for event in trace():
        if event["ph"] == "X":
            threads.setdefault(event["tid"], []).append((event["ts"], event["ts"] + event["dur"]))
    if len(threads) < 3:
        raise AssertionError(f"two loops and the main thread's, not {len(threads)}")
    for spans in threads.values():
        spans.sort()
        for (_, end), (begin, _) in zip(spans, spans[1:]):
            if begin < end - 0.0015:
                raise AssertionError(f"a step begins at {begin}, before the last has ended at {end}")


@tap.test
def file_is_whole_when_the_program_is_killed():
    with subprocess.Popen([PROGRAM, "for ever"], env={**os.environ, "WEFT_TRACE": "trace.json"},
                          stdout=subprocess.PIPE) as program:
        tap.equal(program.stdout.read(1), b"r")
        program.kill()
    with open("trace.json", encoding="ascii") as file:
        json.load(file)


tap.main()
