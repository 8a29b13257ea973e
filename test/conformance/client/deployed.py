"""A flow in a file of its own, and processes that run it."""

import os
import pathlib
import signal
import subprocess
import tempfile
import textwrap
import uuid

from journey import api

FLOW = textwrap.dedent(
    """
    import sys, time
    from prefect import flow
    from prefect.flow_runs import suspend_flow_run

    @flow(name="deployed flow", log_prints=True)
    def main(x: int = 1):
        print(f"ran with {x}")
        if x == 99:
            time.sleep(120)
        if x == 77:
            suspend_flow_run(timeout=300, key="once")
            print("went on")
        return x

    if __name__ == "__main__":
        main.serve(name="served", interval=3600, parameters={"x": 5}, tags=["served"])
    """
)
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "flows.py").write_text(FLOW)


def start(*command):
    environment = {**os.environ, "PREFECT_RUNNER_POLL_FREQUENCY": "1", "PREFECT_WORKER_QUERY_SECONDS": "1"}
    output = open(folder / f"{uuid.uuid4()}.log", "w+")
    child = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    child.output = lambda: (output.seek(0), output.read())[1]
    return child


def stop(child):
    child.send_signal(signal.SIGINT)
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()


def start_run(deployment_id, **parameters):
    """Gives the run's id."""
    return api("POST", f"/deployments/{deployment_id}/create_flow_run", {"parameters": parameters})["id"]


def over(run_id):
    found = api("GET", f"/flow_runs/{run_id}")
    return found if found["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED") else None


def deployment(name):
    return api("GET", f"/deployments/name/deployed flow/{name}")
