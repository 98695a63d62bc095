"""Golden event file of TensorBoard's own writer, at fixed times.
Run: python scripts/golden/event_file.py (tensorboard)"""

import pathlib
import tempfile
import time

from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

PATH = pathlib.Path(__file__).resolve().parents[2] / "test" / "golden" / "tensorboard.tfevents"

EVENTS = [
    (0, [("loss/train", 2.25), ("lr/train", 0.1)]),
    (1, [("loss/train", 1.5)]),
    (300, [("accuracy/valid", 0.9375), ("größe/valid", -1e-8)]),
    (70000, [("loss/train", float("nan"))]),
    (5_000_000_000, [("loss/train", float("inf"))]),
]

clock = 1_700_000_000.25
time.time = lambda: clock
with tempfile.TemporaryDirectory() as folder:
    writer = EventFileWriter(folder)
    for i, (step, scalars) in enumerate(EVENTS):
        values = [summary_pb2.Summary.Value(tag=t, simple_value=v) for t, v in scalars]
        writer.add_event(
            event_pb2.Event(
                wall_time=clock + 0.5 * (i + 1),
                step=step,
                summary=summary_pb2.Summary(value=values),
            )
        )
    start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    writer.add_event(event_pb2.Event(wall_time=clock + 8, step=301, session_log=start))
    writer.close()
    (written,) = pathlib.Path(folder).iterdir()
    PATH.write_bytes(written.read_bytes())
print(f"{PATH}: {PATH.stat().st_size} bytes")
