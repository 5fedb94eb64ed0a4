"""The first thing a child process runs: lowers its user, ties its life to ours, then becomes the real program.

Run as a script by ``spawn.py``, so that no Python code runs between fork and exec of a process that may already have
threads. It imports everything first: the lowered user may not be able to read Python's own files.
Arguments: parent pid, ``uid:gid`` or ``-``, niceness, then the program and its arguments.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time

_TRIES = 20
PR_SET_PDEATHSIG = 1


def _raise_open_files() -> None:
    """Lifts the soft limit of open files to at most 65,536: PostgreSQL and Traefik want more than the usual 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with contextlib.suppress(ValueError, OSError):  # macOS refuses numbers above kern.maxfilesperproc
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _become(user: str) -> None:
    uid, gid = (int(part) for part in user.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def _give_way(niceness: int) -> None:
    """Where Linux shares the processors out by session (sched_autogroup_enabled), a process's own niceness counts within its
    session alone.
    """
    if niceness == 0:
        return
    os.nice(niceness)
    for _ in range(_TRIES):
        try:
            with open("/proc/self/autogroup", "w", encoding="ascii") as session:
                session.write(str(niceness))
        except BlockingIOError:  # Linux lets one process in a tenth of a second do this
            time.sleep(0.1)
        except OSError:  # nothing is shared out by session here
            return
        else:
            return


def _die_with(parent: int) -> None:
    """Asks Linux to kill this process when the thread that started it ends. Must follow setuid, which clears it."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(70)  # the parent died before the wish was registered


def main() -> None:
    parent, user, niceness, program = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    _raise_open_files()
    _give_way(niceness)
    if user != "-":
        _become(user)
    _die_with(parent)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvp(program[0], program)  # noqa: S606 - no shell is the point
    except OSError as error:
        print(f"cannot start {program[0]}: {error}", file=sys.stderr, flush=True)
        os._exit(127)


if __name__ == "__main__":
    main()
