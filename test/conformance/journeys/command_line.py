"""What the command line shows, and what the client's own functions read."""

import asyncio
import json

from journey import api, cli, eventually, journey, run
from prefect import flow, get_client, get_run_logger
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName


@flow(name="shown flow")
def shown(x=1):
    get_run_logger().info("said by %s", x)
    return x


@journey("flow-run ls, inspect, logs and delete")
def flow_runs():
    run_id = str(shown(return_state=True).state_details.flow_run_id)
    assert "shown flow" in cli("flow-run", "ls", "--flow-name", "shown flow")
    inspected = json.loads(cli("flow-run", "inspect", run_id, "--output", "json"))
    assert inspected["id"] == run_id and inspected["parameters"] == {"x": 1}
    eventually(lambda: "said by 1" in cli("flow-run", "logs", run_id), "the log")
    cli("flow-run", "delete", run_id)
    assert api("POST", "/flow_runs/count", {"flow_runs": {"id": {"any_": [run_id]}}}) == 0


@journey("flow ls and version")
def flows():
    shown()
    assert "shown flow" in cli("flow", "ls")
    cli("version")


@journey("the client reads, counts and pages")
def client_reads():
    for x in range(3):
        shown.with_options(flow_run_name=f"page {x}")(x)

    async def read():
        async with get_client() as client:
            wanted = FlowRunFilter(name=FlowRunFilterName(like_="page "))
            assert await client.count_flow_runs(flow_run_filter=wanted) == 3
            first = await client.read_flow_runs(flow_run_filter=wanted, limit=2)
            rest = await client.read_flow_runs(flow_run_filter=wanted, limit=2, offset=2)
            assert len({r.id for r in [*first, *rest]}) == 3
            flow_ = await client.read_flow_by_name("shown flow")
            assert first[0].flow_id == flow_.id
            assert (await client.api_healthcheck()) is None

    asyncio.run(read())


if __name__ == "__main__":
    run()
