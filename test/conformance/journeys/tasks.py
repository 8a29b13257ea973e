"""Tasks, mapped, retried and nested, of flows of this process."""

import time

from journey import api, eventually, journey, latest_run, run, states_of, task_runs_of
from prefect import flow, task, unmapped


@task
def add(a, b):
    return a + b


@journey("map over a list")
def mapped():
    @flow(name="mapping flow")
    def main():
        return sum(add.map(range(20), unmapped(1)).result())

    assert main() == sum(range(20)) + 20
    runs = task_runs_of(latest_run("mapping flow")["id"], 20)
    assert {r["state_type"] for r in runs} == {"COMPLETED"}


@journey("retries of a task, decided by the client")
def retries():
    attempts = []

    @task(retries=2, retry_delay_seconds=0.1)
    def flaky():
        attempts.append(1)
        if len(attempts) < 3:
            raise RuntimeError("not yet")
        return 7

    @flow(name="flow of a flaky task")
    def main():
        return flaky()

    assert main() == 7
    [found] = task_runs_of(latest_run("flow of a flaky task")["id"], 1)
    assert found["run_count"] == 3, found
    names = [s["name"] for s in api("GET", f"/task_run_states/?task_run_id={found['id']}")]
    assert names == ["Pending", "Running", "AwaitingRetry", "Retrying", "AwaitingRetry", "Retrying", "Completed"], names


@journey("a task that fails, and one that waits for it in vain")
def failures():
    @task
    def bad():
        raise ValueError("bad")

    @flow(name="flow of failing tasks")
    def main():
        add.submit(bad.submit(), 1).wait()
        return "over"

    assert main() == "over"
    body = {"flow_runs": {"id": {"any_": [latest_run("flow of failing tasks")["id"]]}}}
    names = lambda: sorted(r["state_name"] for r in api("POST", "/task_runs/filter", body))
    eventually(lambda: names() == ["Failed", "NotReady"], "both states")


@journey("nested flows, and the task run that stands for each")
def nested():
    @flow(name="child flow")
    def child(x):
        return add(x, 1)

    @flow(name="parent flow")
    def parent():
        return child(1) + child(2)

    assert parent() == 5
    found = latest_run("parent flow")
    runs = task_runs_of(found["id"], 2)
    children = api("POST", "/flow_runs/filter", {"flow_runs": {"parent_flow_run_id": {"any_": [found["id"]]}}})
    assert len(children) == 2
    assert {c["parent_task_run_id"] for c in children} == {r["id"] for r in runs}
    by_id = {c["id"]: c for c in children}
    for r in runs:
        assert r["state_type"] == "COMPLETED" and r["run_count"] == 1, r
        child_run = by_id[r["state"]["state_details"]["child_flow_run_id"]]
        assert child_run["parent_task_run_id"] == r["id"]
        assert states_of(child_run["id"]) == ["Pending", "Running", "Completed"]


@journey("300 task runs in one flow")
def many():
    @task
    def nothing(_):
        return None

    @flow(name="flow of many")
    def main():
        nothing.map(range(300)).wait()

    began = time.monotonic()
    main()
    found = latest_run("flow of many")
    count = lambda: api("POST", "/task_runs/count", {"flow_runs": {"id": {"any_": [found["id"]]}}})
    while count() < 300:
        assert time.monotonic() - began < 60
        time.sleep(0.1)
    assert count() == 300


if __name__ == "__main__":
    run()
