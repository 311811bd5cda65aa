"""HTTP/1.1 beside HTTP/2: the raw writer's two writes of each object, over several numbers of connections and of streams."""

import workload
from throughput import Run, take_turns

# Requests in flight, and HTTP/2 connections that share them; 0: HTTP/1.1 with a connection for each.
SETTINGS = ((1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (8, 1), (16, 1), (32, 1), (16, 2), (32, 2))


def name_of(in_flight, connections):
    return f"HTTP/2, {in_flight} streams, connections: {connections}" if connections else f"HTTP/1.1, connections: {in_flight}"


def http(report, folder, count, runs):
    run = Run(folder, workload.WORKLOADS["kem-key-pairs"], count)
    all_of_them = {name_of(*setting): lambda setting=setting: run.floor(*setting) for setting in SETTINGS}
    take_turns(report, f"http, {count}", all_of_them, runs)
