"""Flows of Prefect's own client, until so many are over: each has tasks, a nested flow and logs, and says when it is over."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from prefect import flow, get_run_logger, task

FLOWS, AT_ONCE = int(sys.argv[1]), int(sys.argv[2])


@task
def step(i):
    get_run_logger().info("step %s", i)
    time.sleep(0.3)
    return i


@flow(name="inner")
def inner(x):
    return step(x)


@flow(name="outer")
def outer(n):
    futures = [step.submit(i) for i in range(2)]
    total = sum(each.result() for each in futures) + inner(n)
    print(f"OVER {n}", flush=True)
    return total


with ThreadPoolExecutor(AT_ONCE) as pool:
    assert list(pool.map(outer, range(FLOWS))) == [n + 1 for n in range(FLOWS)]
