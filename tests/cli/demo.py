"""make demo: it does what it says."""

import os

import tap


@tap.test(limit=60)
def demo_runs_and_is_right():
    environment = {**os.environ, "WEFT": tap.weft(), "TMPDIR": os.getcwd()}
    done = tap.run([os.path.join(tap.SOURCE, "tools", "demo.sh")], env=environment)
    text = done.stdout.decode()
    tap.equal(done.returncode, 0, text + done.stderr.decode())
    tap.has(done.stderr.decode(), "100 done: 100 ok, 0 failed, 20 retries, ")
    tap.has(text, "The server counted 120 requests, and never more than 5 at once.")
    tap.has(text, "100 files are in out/, 100 lines in results.jsonl say ok.")
    tap.equal(os.listdir("."), [])


tap.main()
