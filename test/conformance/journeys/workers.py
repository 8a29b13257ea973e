"""Deployments whose runs a worker takes from a work pool."""

import subprocess
import sys
import textwrap

from deployed import deployment, folder, over, start, stop
from journey import api, cli, eventually, journey, run


@journey("a worker with a process pool takes a run")
def worker():
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
    try:
        id_ = deployment("pooled")["id"]
        run_id = api("POST", f"/deployments/{id_}/create_flow_run", {"parameters": {"x": 3}})["id"]
        finished = eventually(lambda: over(run_id), "the run", within=90)
        assert finished["state_type"] == "COMPLETED", working.output()
        assert finished["work_pool_name"] == "journeys" and finished["infrastructure_pid"]
        workers = api("POST", "/work_pools/journeys/workers/filter", {})
        assert [w["name"] for w in workers] == ["ours"] and workers[0]["status"] == "ONLINE"
        logs = lambda: [l["message"] for l in api("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [run_id]}}})]
        eventually(lambda: "ran with 3" in logs(), "its logs")
    finally:
        stop(working)


if __name__ == "__main__":
    run()
