"""What runs leave behind: artifacts, variables, results."""

import json

from journey import api, cli, eventually, journey, latest_run, run, task_runs_of
from prefect import flow, task
from prefect.artifacts import Artifact, create_markdown_artifact, create_table_artifact
from prefect.states import State
from prefect.variables import Variable


@journey("artifacts of a run, and of a task")
def artifacts():
    @task
    def report():
        return create_table_artifact(key="report", table=[{"a": 1}, {"a": 2}], description="rows")

    @flow(name="flow of artifacts")
    def main():
        create_markdown_artifact(key="notes", markdown="# one")
        create_markdown_artifact(key="notes", markdown="# two")
        report()

    main()
    run_id = latest_run("flow of artifacts")["id"]
    found = api("POST", "/artifacts/filter", {"artifacts": {"flow_run_id": {"any_": [run_id]}}})
    assert sorted(a["key"] for a in found) == ["notes", "notes", "report"]
    assert json.loads(next(a for a in found if a["key"] == "report")["data"]) == [{"a": 1}, {"a": 2}]
    assert Artifact.get(key="notes").data == "# two"
    assert "notes" in cli("artifact", "ls")


@journey("variables, from code and from the command line")
def variables():
    Variable.set("colour", {"main": "blue"})
    assert Variable.get("colour") == {"main": "blue"}
    Variable.set("colour", "red", overwrite=True, tags=["paint"])
    assert "red" in cli("variable", "get", "colour") and "colour" in cli("variable", "ls")
    cli("variable", "delete", "colour")
    assert Variable.get("colour", default="none") == "none"


@journey("results that are kept, and read by another run")
def results():
    calls = []

    @task(persist_result=True, cache_key_fn=lambda *_: "the same")
    def costly():
        calls.append(1)
        return {"answer": 42}

    @flow(name="flow of results", persist_result=True)
    def main():
        return costly()

    assert main() == {"answer": 42}
    assert main() == {"answer": 42} and len(calls) == 1
    found = latest_run("flow of results")
    assert State.model_validate(found["state"]).result() == {"answer": 42}
    [cached] = task_runs_of(found["id"], 1)
    assert cached["state_name"] == "Cached", cached["state_name"]


if __name__ == "__main__":
    run()
