"""What journeys are written with: each is a function that asserts what it expects."""

import json
import subprocess
import time
import traceback

import httpx
from prefect.settings import PREFECT_API_URL

_journeys = []


def journey(title):
    """Marks a function as a journey; `run` runs them in the order in which they are written."""

    def mark(function):
        _journeys.append((title, function))
        return function

    return mark


def run():
    for title, function in _journeys:
        began = time.monotonic()
        failure = None
        try:
            function()
        except BaseException:
            failure = traceback.format_exc()
        seconds = round(time.monotonic() - began, 1)
        print("JOURNEY " + json.dumps({"title": title, "seconds": seconds, "failure": failure}), flush=True)


def api(method, path, body=None):
    """Asks the server past the client, for what the client would hide. Gives the JSON of the answer."""
    response = httpx.request(method, PREFECT_API_URL.value() + path, json=body, follow_redirects=True)
    response.raise_for_status()
    return response.json() if response.content else None


def cli(*arguments, within=60):
    """Runs `prefect` with these arguments; gives what it printed, and fails when it fails."""
    done = subprocess.run(["prefect", *arguments], capture_output=True, text=True, timeout=within)
    assert done.returncode == 0, f"prefect {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def eventually(condition, what, within=20):
    """Waits for a condition instead of for a time; gives what it gave."""
    until = time.monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"waited {within} s for {what}"
        time.sleep(0.1)


def latest_run(flow_name):
    """The run of a flow that was made last."""
    body = {"flows": {"name": {"any_": [flow_name]}}, "sort": "EXPECTED_START_TIME_DESC", "limit": 1}
    return api("POST", "/flow_runs/filter", body)[0]


def states_of(run_id):
    """Names of the states that a flow run went through."""
    return [state["name"] for state in api("GET", f"/flow_run_states/?flow_run_id={run_id}")]


def task_runs_of(run_id, count):
    """Task runs of a flow run, once there are so many and all are over: the client tells of them in the background."""

    def found():
        runs = api("POST", "/task_runs/filter", {"flow_runs": {"id": {"any_": [run_id]}}})
        over = [r for r in runs if r["state_type"] in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")]
        return runs if len(over) == count == len(runs) else None

    return eventually(found, f"{count} task runs")
