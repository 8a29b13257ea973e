"""Tasks that are handed to a process which serves them."""

import sys

from deployed import folder, start, stop
from journey import api, eventually, journey, run

(folder / "tasks.py").write_text(
    """
from prefect import task

@task(persist_result=True)
def double(x):
    return 2 * x

if __name__ == "__main__":
    double.serve()
"""
)


@journey("delay: a task run that a served task takes")
def delayed():
    sys.path.insert(0, str(folder))
    from tasks import double

    futures = [double.delay(x) for x in (20, 21)]
    ids = [str(f.task_run_id) for f in futures]
    assert api("GET", f"/task_runs/{ids[0]}")["state_type"] == "SCHEDULED"
    server = start(sys.executable, "tasks.py")
    try:
        over = lambda: all(api("GET", f"/task_runs/{i}")["state_type"] == "COMPLETED" for i in ids)
        eventually(over, "both task runs", within=60)
        assert [f.result(timeout=20) for f in futures] == [40, 42]
        counts = [api("GET", f"/task_runs/{i}")["run_count"] for i in ids]
        assert counts == [1, 1], counts
    finally:
        stop(server)


if __name__ == "__main__":
    run()
