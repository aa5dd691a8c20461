"""This module is the child process in which llama.cpp runs, so that a crash of native code harms nothing else.

    python -m headrace.providers.embedded_child      # started by `providers.embedded_engine`, and by nobody else

It ends when its standard input ends: with its parent, however that dies. While llama.cpp loads a model it holds
Python's lock for seconds, and no thread of ours could notice anything; so the kernel is asked to send SIGIO, which
kills, where it can do that.
"""

import contextlib
import os
import select
import signal
import sys

import xllamacpp

from headrace.providers.embedded_pipe import Failed, Launch, Listening, decode_launch, encode

if sys.platform != "win32":
    import fcntl

__all__ = ["main"]

_NO_PAGE = "https://headrace.invalid"  # an origin that no page has: browsers get nothing from the engine
_SPARE_THREADS = 4  # of the engine's HTTP server, beside one for each answer
_WARNINGS = 2  # llama.cpp's verbosity: errors and warnings


def main() -> None:
    """Load the model that the parent names, tell where it listens, and stay until the parent is gone."""
    # the parent decides when this ends: Ctrl-C and SIGTERM go to the whole group, and answers may still be drained
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    replies = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what native code prints is log
    launch = decode_launch(sys.stdin.buffer.readline())
    _end_with_input()
    try:
        server = xllamacpp.Server(_parameters(launch))
    except (RuntimeError, ValueError) as error:
        os.write(replies, encode(Failed(str(error))))
        os._exit(1)
    os.write(replies, encode(Listening(server.listening_address)))
    sys.stdin.buffer.read()
    os._exit(0)  # at once: the server's own end would wait for answers that nobody reads


def _parameters(launch: Launch) -> xllamacpp.CommonParams:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = launch.path
    parameters.model_alias = {launch.alias}
    parameters.offline = True
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.api_keys = [launch.key]
    parameters.cors_origins = _NO_PAGE
    parameters.cors_credentials = False
    parameters.ui = False
    parameters.endpoint_slots = False
    parameters.n_threads_http = launch.parallel + _SPARE_THREADS
    parameters.cpuparams.n_threads = launch.threads
    parameters.n_parallel = launch.parallel
    parameters.n_ctx = launch.context * launch.parallel  # it is shared out evenly, and capped at what the model knows
    parameters.cache_ram_mib = launch.memory_mib
    parameters.verbosity = _WARNINGS
    return parameters


def _end_with_input() -> None:
    if sys.platform == "win32":
        return
    stdin = sys.stdin.fileno()
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        fcntl.fcntl(stdin, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(stdin, fcntl.F_SETFL, fcntl.fcntl(stdin, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([stdin], [], [], 0)[0]:
        os._exit(0)  # it ended before the signal was asked for


if __name__ == "__main__":
    main()
