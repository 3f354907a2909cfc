# Threads and instruction sets: choices for this process.

fastfm_init_threads(stack_size())
cdef int _openmp_at_import = fastfm_max_threads()
cdef object _limit = default_limit()
cdef int _chosen_threads = 0


def set_num_threads(n):
    """Set the number of threads of calls with ``num_threads=None``, for this process.

    Parameters
    ----------
    n : int or None
        At least 1; None returns to the default, see `get_num_threads`.

    Raises
    ------
    ValueError
        If `n` is not a positive integer.
    """
    global _chosen_threads
    _chosen_threads = 0 if n is None else min(as_count(n, "n"), MOST_THREADS)


def get_num_threads():
    """Number of threads that a call with ``num_threads=None`` may use.

    What `set_num_threads` chose; else ``OMP_NUM_THREADS``; else the CPUs that this process may use, by
    affinity and container quota. A lower limit set by threadpoolctl counts in any case. Small work stays
    on one thread, and so does all work in a forked child and in a build without OpenMP.

    Returns
    -------
    int

    Examples
    --------
    >>> import fastfm_c
    >>> fastfm_c.get_num_threads() >= 1
    True
    """
    cdef int openmp = fastfm_max_threads()
    if _chosen_threads:
        return min(_chosen_threads, openmp) if openmp < _openmp_at_import else _chosen_threads
    return openmp if _limit is None else min(openmp, _limit)


cdef int resolve_num_threads(num_threads) except -1:
    if num_threads is None:
        return get_num_threads()
    return min(as_count(num_threads, "num_threads"), MOST_THREADS)


def config():
    """Facts about this build and this process.

    Returns
    -------
    dict
        ``version``; ``simd``, the instruction set level in use; ``simd_available``, those this processor
        has, the lowest first; ``openmp``, whether built with it; ``num_threads``; ``compiler``.
    """
    return {
        "version": __version__,
        "simd": fastfm_level_name(fastfm_active_level()).decode(),
        "simd_available": _simd_levels(),
        "openmp": bool(fastfm_has_openmp()),
        "num_threads": get_num_threads(),
        "compiler": fastfm_compiler().decode(),
    }


def show_config():
    """Print `config`, one fact a line."""
    for name, value in config().items():
        if name == "openmp" and not value:
            value = "no: built without OpenMP, everything runs on one thread"
        print(f"{name:15}{', '.join(value) if isinstance(value, list) else value}")


def _simd_levels():
    return [fastfm_level_name(level).decode() for level in range(fastfm_n_levels())]


def _use_simd(name):
    """Use an instruction set level from now on; for the time of import, and for tests."""
    levels = _simd_levels()
    if name not in levels:
        raise ImportError(
            f"FASTFM_C_SIMD={name!r} is not available; this processor and build have: {', '.join(levels)}"
        )
    fastfm_use_level(levels.index(name))


_use_simd(os.environ.get("FASTFM_C_SIMD") or _simd_levels().pop())
