"""Events that the client sends and follows."""

import json
import subprocess
import time
import uuid

from journey import api, eventually, journey, latest_run, run
from prefect import flow
from prefect.events import emit_event


@journey("emit_event arrives in the log")
def emitted():
    resource = f"journey.{uuid.uuid4()}"
    emit_event(event="journey.began", resource={"prefect.resource.id": resource}, payload={"stops": 3})

    def found():
        return api("POST", "/events/filter", {"filter": {"resource": {"id": [resource]}}})["events"]

    [event] = eventually(found, "the event")
    assert event["event"] == "journey.began" and event["payload"] == {"stops": 3}


@journey("events of a flow run: one for each state")
def flow_run_events():
    @flow(name="eventful flow")
    def main():
        return None

    main()
    resource = f"prefect.flow-run.{latest_run('eventful flow')['id']}"

    def found():
        names = ["prefect.flow-run.Pending", "prefect.flow-run.Running", "prefect.flow-run.Completed"]
        body = {"filter": {"resource": {"id": [resource]}, "event": {"name": names}, "order": "ASC"}}
        events = api("POST", "/events/filter", body)["events"]
        return events if len(events) == 3 else None

    pending, running, completed = eventually(found, "three events")
    assert running["follows"] == pending["id"] and completed["follows"] == running["id"]
    assert completed["payload"]["intended"] == {"from": "RUNNING", "to": "COMPLETED"}
    assert completed["related"][0]["prefect.resource.name"] == "eventful flow"


@journey("prefect events stream")
def stream():
    follower = subprocess.Popen(
        ["prefect", "events", "stream", "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        name = f"journey.{uuid.uuid4()}"
        time.sleep(3)
        emit_event(event=name, resource={"prefect.resource.id": "journey"})
        seen = []
        until = time.monotonic() + 40
        while time.monotonic() < until:
            line = follower.stdout.readline()
            seen.append(line)
            if name in line:
                return
        raise AssertionError("".join(seen[-20:]))
    finally:
        follower.kill()


if __name__ == "__main__":
    run()
