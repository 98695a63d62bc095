"""Serves the rows of a peer over stdin and stdout, so that its timings can alternate with ours.

One JSON object a line:

    {"do": "prepare", "row": NAME, "warm": B}  build everything, if B run once  -> {"ok": true, "note": S?}
    {"do": "time", "row": NAME, "calls": N}    run N times                      -> {"seconds": S}
    {"do": "drop", "row": NAME}                free everything                  -> {"ok": true}

`python PEER.py --peak NAME CALLS` runs a row alone and prints its peak resident memory.

A row is a function that builds what it needs and returns a function to time. Where that one has
an attribute `begin`, it is called first and not timed; an attribute `note` is told with the row.
A row that raises Unsupported cannot run here: the reply is {"error": S}.
"""

import gc
import json
import resource
import sys
import time


class Unsupported(Exception):
    pass


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def begin(run):
    getattr(run, "begin", lambda: None)()


def serve(version, rows):
    ready = {}
    print(json.dumps({"version": version}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        row = request["row"]
        reply = {"ok": True}
        if request["do"] == "prepare":
            try:
                ready[row] = rows[row]()
                if request.get("warm", True):
                    begin(ready[row])
                    ready[row]()
                reply["note"] = getattr(ready[row], "note", "")
            except Unsupported as reason:
                reply = {"error": str(reason)}
        elif request["do"] == "drop":
            ready.pop(row, None)
            gc.collect()
        else:
            run = ready[row]
            begin(run)
            start = time.perf_counter()
            for _ in range(request["calls"]):
                run()
            reply = {"seconds": time.perf_counter() - start}
        print(json.dumps(reply), flush=True)


def main(version, rows):
    if sys.argv[1:2] == ["--peak"]:
        run = rows[sys.argv[2]]()
        for _ in range(int(sys.argv[3])):
            run()
        print(json.dumps({"mib": peak_mib()}))
    else:
        serve(version, rows)
