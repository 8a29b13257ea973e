"""Deployments whose runs a worker takes from a work pool."""

import subprocess
import sys
import textwrap

from deployed import deployment, folder, over, start, start_run, stop
from journey import api, cli, eventually, journey, run, states_of
from prefect.flow_runs import resume_flow_run

working = None


@journey("a worker with a process pool takes a run")
def worker():
    global working
    cli("work-pool", "create", "journeys", "--type", "process")
    assert "journeys" in cli("work-pool", "ls")
    deploy = textwrap.dedent(
        f"""
        from prefect import flow
        flow.from_source(source={str(folder)!r}, entrypoint="flows.py:main").deploy(
            name="pooled", work_pool_name="journeys", ignore_warnings=True)
        """
    )
    done = subprocess.run([sys.executable, "-c", deploy], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    working = start("prefect", "worker", "start", "--pool", "journeys", "--name", "ours")
    run_id = start_run(deployment("pooled")["id"], x=3)
    finished = eventually(lambda: over(run_id), "the run", within=90)
    assert finished["state_type"] == "COMPLETED", working.output()
    assert finished["work_pool_name"] == "journeys" and finished["infrastructure_pid"]
    workers = api("POST", "/work_pools/journeys/workers/filter", {})
    assert [w["name"] for w in workers] == ["ours"] and workers[0]["status"] == "ONLINE"
    eventually(lambda: "ran with 3" in logs_of(run_id), "its logs")


@journey("a run that a worker has is cancelled")
def cancelled():
    run_id = start_run(deployment("pooled")["id"], x=99)
    eventually(lambda: "ran with 99" in logs_of(run_id), "the run", within=90)
    cli("flow-run", "cancel", run_id)
    assert eventually(lambda: over(run_id), "the end of the run", within=60)["state_name"] == "Cancelled", working.output()


@journey("a run of a worker is suspended, leaves its process, and goes on in another")
def suspended():
    run_id = start_run(deployment("pooled")["id"], x=77)
    found = lambda: api("GET", f"/flow_runs/{run_id}")
    eventually(lambda: found()["state_name"] == "Suspended", "the run to be suspended", within=90)
    resume_flow_run(run_id)
    finished = eventually(lambda: over(run_id), "the run to go on", within=90)
    assert finished["state_type"] == "COMPLETED", working.output()
    eventually(lambda: "went on" in logs_of(run_id), "its logs")
    names = states_of(run_id)
    assert names.count("Suspended") == 1 and "Resuming" in names, names


@journey("a worker ends when it is told to")
def ended():
    stop(working)
    assert working.returncode == 0, working.output()


def logs_of(run_id):
    return [line["message"] for line in api("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [run_id]}}})]


if __name__ == "__main__":
    try:
        run()
    finally:
        if working is not None and working.poll() is None:
            stop(working)
