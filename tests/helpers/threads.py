"""Threads of Python that work at the same time."""

import threading


def in_threads(*functions):
    """Call each function in a thread of its own; all start together.

    When all have ended, raise what the first of those that failed has raised.
    """
    start, errors = threading.Barrier(len(functions)), []

    def run(function):
        start.wait()
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def in_each_of(n, work):
    """Call work(t) in thread t of n; as `in_threads`."""
    in_threads(*(lambda t=t: work(t) for t in range(n)))
