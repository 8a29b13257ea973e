"""Deployments that a process serves."""

import asyncio
import datetime
import sys
import zoneinfo

from deployed import deployment, folder, over, start, stop
from journey import api, cli, eventually, journey, run, states_of


@journey("serve: scheduled ahead, run when asked, shown, cancelled, paused when it stops")
def served():
    server = start(sys.executable, "flows.py")
    try:

        def scheduled():
            body = {"deployments": {"name": {"any_": ["served"]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
            return api("POST", "/flow_runs/filter", body)

        found = eventually(scheduled, "runs of the schedule", within=60)
        assert all(r["auto_scheduled"] and r["parameters"] == {"x": 5} for r in found), found
        assert "deployed flow/served" in cli("deployment", "ls")
        made = cli("deployment", "run", "deployed flow/served", "-p", "x=7", "--watch", within=90)
        assert "Completed" in made, made + server.output()

        id_ = deployment("served")["id"]
        long = api("POST", f"/deployments/{id_}/create_flow_run", {"parameters": {"x": 99}})["id"]
        eventually(lambda: api("GET", f"/flow_runs/{long}")["state_type"] == "RUNNING", "the long run", within=60)
        cli("flow-run", "cancel", long)
        assert eventually(lambda: over(long), "the cancellation", within=60)["state_name"] == "Cancelled"
    finally:
        stop(server)
    assert deployment("served")["paused"], server.output()


@journey("a schedule that fires")
def fires():
    server = start(
        sys.executable,
        "-c",
        "import flows; flows.main.serve(name='frequent', interval=5, pause_on_shutdown=False)",
    )
    try:

        def done():
            body = {
                "deployments": {"name": {"any_": ["frequent"]}},
                "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}},
            }
            return api("POST", "/flow_runs/filter", body)

        [first, *_] = eventually(done, "a run of the schedule", within=60)
        assert first["auto_scheduled"] and first["expected_start_time"]
        assert "Scheduled" in states_of(first["id"]), states_of(first["id"])
    finally:
        stop(server)


@journey("cron and recurrence schedules give the instants of the client's own library")
def schedules():
    from prefect.schedules import Cron, RRule
    from prefect.server.schemas.schedules import CronSchedule, RRuleSchedule

    sys.path.insert(0, str(folder))
    import flows

    cron, zone = "30 2 * * 1-5", "America/New_York"
    rule = "FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9;BYMINUTE=0;BYSECOND=0"
    kinds = [Cron(cron, timezone=zone), RRule(rule, timezone="Europe/Berlin")]
    id_ = flows.main.to_deployment(name="by schedules", schedules=kinds).apply()
    now = datetime.datetime.now(zoneinfo.ZoneInfo("UTC"))
    expected = set()
    for schedule in (CronSchedule(cron=cron, timezone=zone), RRuleSchedule(rrule=rule, timezone="Europe/Berlin")):
        expected |= {date.timestamp() for date in asyncio.run(schedule.get_dates(3, now))}

    def made():
        body = {"deployments": {"id": {"any_": [str(id_)]}}, "sort": "EXPECTED_START_TIME_ASC"}
        runs = api("POST", "/flow_runs/filter", body)
        return {datetime.datetime.fromisoformat(r["expected_start_time"].replace("Z", "+00:00")).timestamp() for r in runs}

    found = eventually(lambda: len(made()) >= len(expected) and made(), "the runs of the schedules", within=60)
    assert expected <= found, (sorted(expected), sorted(found))


if __name__ == "__main__":
    run()
