"""A bounded load test on this machine: python load_test.py model.safetensors [seconds] [connections]

Starts the service with one worker, says the time from its start to its first answer, then sends rows from
some connections as fast as they are answered (the capacity), and then at 70 % of that rate.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def request(connection, row):
    connection.request("POST", "/score", json.dumps(row), {"Content-Type": "application/json"})
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise RuntimeError(body.decode())
    return json.loads(body)


def cpu_seconds(process):
    """Processor time of the service, or NaN where the system does not say it in /proc."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def first_answer(port, row, process, most_seconds=30.0):
    begin = time.perf_counter()
    while time.perf_counter() - begin < most_seconds and process.poll() is None:
        try:
            return request(http.client.HTTPConnection("127.0.0.1", port), row)
        except OSError:
            time.sleep(0.005)
    raise RuntimeError("the service does not answer")


def drive(port, rows, seconds, n_connections, rate):
    """Seconds of each answer; rate: requests a second of all connections, or None for the most."""
    taken, lock = [], threading.Lock()

    def work(number):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        mine, begin, sent = [], time.perf_counter(), 0
        while (now := time.perf_counter()) - begin < seconds or sent == 0:
            if rate is not None and (due := begin + sent * n_connections / rate) > now:
                time.sleep(due - now)
            start = time.perf_counter()
            request(connection, rows[(number + sent * n_connections) % len(rows)])
            mine.append(time.perf_counter() - start)
            sent += 1
        with lock:
            taken.extend(mine)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(n_connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return np.array(taken)


def main(path, seconds=5.0, n_connections=4, rows=None):
    if rows is None:
        from train import adult_rows

        rows = adult_rows()[0][:1000]
    port = free_port()
    begin = time.perf_counter()
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "uvicorn",
            "app:app",
            "--port",
            str(port),
            "--log-level",
            "error",
            "--no-access-log",
        ],
        cwd=Path(__file__).parent,
        env=os.environ | {"MODEL": str(Path(path).resolve())},
    )
    try:
        first_answer(port, rows[0], process)
        figures = {"cold_start_seconds": time.perf_counter() - begin}
        figures["cold_start_cpu_seconds"] = before = cpu_seconds(process)
        n = len(drive(port, rows, seconds, n_connections, None))
        figures["rows_per_second"] = n / seconds
        figures["cpu_ms_per_row"] = 1000 * (cpu_seconds(process) - before) / n
        taken = drive(port, rows, seconds, n_connections, 0.7 * figures["rows_per_second"])
        figures["p50_ms"], figures["p99_ms"] = (1000 * np.quantile(taken, q) for q in (0.5, 0.99))
        return figures
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    arguments = [sys.argv[1], *map(float, sys.argv[2:3]), *map(int, sys.argv[3:4])]
    for name, value in main(*arguments).items():
        print(f"{name:20}{value:10.2f}")
