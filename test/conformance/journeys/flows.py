"""Flows of this process: what they are to the server."""

import asyncio
import time

from journey import api, eventually, journey, latest_run, run, states_of
from prefect import flow, get_run_logger, task
from prefect.states import Failed


@task
def add(a, b):
    get_run_logger().info("adding %s", a)
    return a + b


@journey("a flow with a task and logs")
def sync_flow():
    @flow(name="sync flow", flow_run_name="run-{x}", version="7")
    def main(x):
        get_run_logger().warning("hello from %s", x)
        return add(x, 2)

    assert main(3) == 5
    found = latest_run("sync flow")
    assert found["name"] == "run-3" and found["parameters"] == {"x": 3} and found["flow_version"] == "7"
    assert found["state_type"] == "COMPLETED" and found["run_count"] == 1 and found["total_run_time"] > 0
    assert states_of(found["id"]) == ["Pending", "Running", "Completed"]
    logs = eventually(
        lambda: [l["message"] for l in api("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [found["id"]]}}})],
        "logs",
    )
    assert "hello from 3" in logs, logs


@journey("an async flow with async tasks at once")
def async_flow():
    @task
    async def double(x):
        await asyncio.sleep(0.05)
        return 2 * x

    @flow(name="async flow")
    async def main():
        return sum(await asyncio.gather(*[double(x) for x in range(4)]))

    assert asyncio.run(main()) == 12
    assert latest_run("async flow")["state_type"] == "COMPLETED"


@journey("a flow that fails, and says why")
def failure():
    @flow(name="failing flow")
    def main():
        raise ValueError("no luck today")

    try:
        main()
        raise AssertionError("it did not raise")
    except ValueError:
        pass
    found = latest_run("failing flow")
    assert found["state_type"] == "FAILED" and "no luck today" in found["state"]["message"]
    assert main(return_state=True).is_failed()


@journey("a flow that returns a state")
def returned_states():
    @flow(name="returns a state")
    def main():
        return Failed(message="as asked for")

    assert main(return_state=True).message == "as asked for"
    assert latest_run("returns a state")["state"]["message"] == "as asked for"


@journey("retries of a flow, decided by the server")
def flow_retries():
    attempts = []

    @flow(name="retried flow", retries=2, retry_delay_seconds=1)
    def main():
        attempts.append(time.monotonic())
        if len(attempts) < 2:
            raise RuntimeError("not yet")
        return "done"

    assert main() == "done"
    assert attempts[1] - attempts[0] >= 0.9, attempts
    found = latest_run("retried flow")
    assert found["run_count"] == 2
    assert states_of(found["id"]) == ["Pending", "Running", "AwaitingRetry", "Running", "Completed"]


@journey("a flow that takes too long")
def timeout():
    @flow(name="slow flow", timeout_seconds=1)
    def main():
        for _ in range(100):
            time.sleep(0.1)

    assert main(return_state=True).name == "TimedOut"
    assert latest_run("slow flow")["state_name"] == "TimedOut"


@journey("names with slashes and unicode, many parameters")
def odd_names():
    @flow(name="größe ☃ 流れ", flow_run_name="a/b ünï")
    def main(numbers, text):
        return len(numbers)

    assert main([2**70, 1.5, -0.0, None, True], "x" * 100_000) == 5
    found = latest_run("größe ☃ 流れ")
    assert found["name"] == "a/b ünï" and found["parameters"]["numbers"][0] == 2**70


if __name__ == "__main__":
    run()
