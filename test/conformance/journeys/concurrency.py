"""Limits of how much runs at once."""

import threading
import time

from journey import api, cli, journey, run
from prefect import flow, task
from prefect.concurrency.sync import concurrency, rate_limit


@journey("tasks whose tag has a limit")
def tags():
    cli("concurrency-limit", "create", "one-at-a-time", "1")
    spans = []

    @task(tags=["one-at-a-time"])
    def alone(_):
        began = time.monotonic()
        time.sleep(0.3)
        spans.append((began, time.monotonic()))

    @flow(name="flow of limited tasks")
    def main():
        alone.map(range(3)).wait()

    main()
    spans.sort()
    assert len(spans) == 3
    assert all(end <= begin for (_, end), (begin, _) in zip(spans, spans[1:])), spans


@journey("tasks with a tag without a limit")
def free_tags():
    @task(tags=["no-limit"])
    def free():
        return 1

    @flow(name="flow of free tasks")
    def main():
        return free()

    assert main() == 1


@journey("global limits: slots and rates")
def global_limits():
    cli("global-concurrency-limit", "create", "slots", "--limit", "1")
    cli("global-concurrency-limit", "create", "rate", "--limit", "2", "--slot-decay-per-second", "5.0")
    inside, most = [], []

    def work():
        with concurrency("slots", occupy=1):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.2)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(3)]
    [t.start() for t in threads]
    [t.join(60) for t in threads]
    assert most == [1, 1, 1], most
    for _ in range(3):
        rate_limit("rate", occupy=1)
    assert "slots" in cli("global-concurrency-limit", "ls")


if __name__ == "__main__":
    run()
