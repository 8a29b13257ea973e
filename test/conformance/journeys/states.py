"""Runs that are paused, suspended, cancelled, and that die."""

import signal
import subprocess
import sys
import textwrap
import threading
import time

from journey import api, cli, eventually, journey, run, states_of
from prefect import flow, pause_flow_run
from prefect.input import RunInput


@journey("pause and resume")
def pause():
    @flow(name="pausing flow")
    def main():
        pause_flow_run(timeout=30, poll_interval=0.2)
        return "went on"

    found = []
    thread = threading.Thread(target=lambda: found.append(main()))
    thread.start()
    run_id = eventually(lambda: any_run("pausing flow", "Paused"), "the pause")
    assert api("POST", f"/flow_runs/{run_id}/resume", {})["status"] == "ACCEPT"
    thread.join(20)
    assert found == ["went on"]
    assert states_of(run_id) == ["Pending", "Running", "Paused", "Running", "Completed"]


class Answer(RunInput):
    approved: bool
    note: str = "none"


@journey("pause for input, with answers that fit and that don't")
def pause_for_input():
    @flow(name="asking flow")
    def main():
        answer = pause_flow_run(wait_for_input=Answer, timeout=30, poll_interval=0.2)
        return answer.note if answer.approved else "no"

    found = []
    thread = threading.Thread(target=lambda: found.append(main()))
    thread.start()
    run_id = eventually(lambda: any_run("asking flow", "Paused"), "the pause")
    wrong = api("POST", f"/flow_runs/{run_id}/resume", {"run_input": {"approved": "perhaps"}})
    assert wrong["status"] == "REJECT", wrong
    right = api("POST", f"/flow_runs/{run_id}/resume", {"run_input": {"approved": True, "note": "well done"}})
    assert right["status"] == "ACCEPT", right
    thread.join(20)
    assert found == ["well done"], found


@journey("pause for input, again in the second attempt")
def pause_in_each_attempt():
    attempts = []

    @flow(name="asking again", retries=3)  # each time that it goes on is counted as a run
    def main():
        attempts.append(pause_flow_run(wait_for_input=Answer, timeout=30, poll_interval=0.2).note)
        if len(attempts) == 1:
            raise ValueError("once more")
        return attempts

    found = []
    thread = threading.Thread(target=lambda: found.append(main()))
    thread.start()
    for n, note in enumerate(["first", "second"], start=1):
        run_id = eventually(lambda: any_run("asking again", "Paused"), "the pause")

        def answered():
            return api("POST", f"/flow_runs/{run_id}/resume", {"run_input": {"approved": True, "note": note}})["status"] == "ACCEPT"

        eventually(answered, "the question")
        eventually(lambda: len(attempts) == n, "the answer")
    thread.join(20)
    assert found == [["first", "second"]], found


@journey("a pause that nobody ends in time")
def pause_times_out():
    @flow(name="forgotten flow")
    def main():
        pause_flow_run(timeout=1, poll_interval=0.3)

    assert main(return_state=True).is_failed()


def script(source):
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(source)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def any_run(flow_name, state):
    filters = {"flows": {"name": {"any_": [flow_name]}}, "flow_runs": {"state": {"name": {"any_": [state]}}}}
    runs = api("POST", "/flow_runs/filter", filters)
    return runs[0]["id"] if runs else None


@journey("a process that is ended by SIGTERM: its run has crashed")
def crash():
    child = script(
        """
        import time
        from prefect import flow
        @flow(name="crashing flow")
        def main():
            time.sleep(60)
        main()
        """
    )
    run_id = eventually(lambda: any_run("crashing flow", "Running"), "the run", within=40)
    child.send_signal(signal.SIGTERM)
    child.wait(30)
    assert states_of(run_id)[-1] == "Crashed", (states_of(run_id), child.stdout.read())


@journey("cancelling with the command line")
def cancel():
    flow_id = api("POST", "/flows/", {"name": "cancelled flow"})["id"]
    state = {"type": "SCHEDULED", "state_details": {"scheduled_time": time.time() + 3600}}
    scheduled = api("POST", "/flow_runs/", {"flow_id": flow_id, "state": state})
    cli("flow-run", "cancel", scheduled["id"])
    assert states_of(scheduled["id"])[-1] == "Cancelled"


if __name__ == "__main__":
    run()
