"""The last steps of a child before it becomes the server: its account and its tie to the supervisor.

Run by path as a program of its own (`python -I -S launch.py …`), so that it needs nothing but the standard
library, and so that the supervisor, which has threads, need not run Python code between fork and exec.

    launch.py PARENT SIGNAL OWN COMMAND…

PARENT is the supervisor's process id and SIGNAL the number the kernel sends to the command when the
supervisor's thread is gone (Linux only; elsewhere the sweep at the next start finds what was left). OWN is
a folder or `-`: PostgreSQL refuses to run as root, so as root a command that owns a folder becomes `nobody`
first. Not for anything else: what to start and when is the supervisor's business.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2
CLONE_NEWUSER = 0x10000000
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522


def main(arguments: list[str]) -> None:
    """Become the command, or end with the reason on stderr when that is impossible."""
    parent, signal_number, own, command = int(arguments[0]), int(arguments[1]), arguments[2], arguments[3:]
    if own != "-" and os.geteuid() == 0:
        become_ordinary(Path(own))
    if sys.platform == "linux":
        # After the change of account: that clears the death signal.
        _libc("prctl", PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the supervisor died before this process was tied to it")
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def become_ordinary(own: Path) -> None:
    """Stop being root. Two ways, for no single one works everywhere: a container's seccomp profile commonly
    forbids new user namespaces, and a rootless container commonly has no second user to change to."""
    failures = []
    for way in (by_namespace, by_user):
        try:
            way(own)
        except OSError as error:
            failures.append(f"{way.__name__}: {error}")
        else:
            return
    sys.exit(
        "PostgreSQL does not run as root, and this machine lets root become nobody else "
        f"({'; '.join(failures)}). Run racewire as an ordinary user, or name a server of your own in "
        "RACEWIRE_DATABASE_URL."
    )


def by_namespace(own: Path) -> None:
    """Look like `nobody` in a user namespace of our own; the files stay root's. Raises OSError if
    forbidden."""
    user, group, nobody = os.getuid(), os.getgid(), pwd.getpwnam("nobody")
    _hand_over(own, user, group)  # now, for inside the namespace there are no rights over another's files
    _libc("unshare", CLONE_NEWUSER)
    # A process without rights over groups may map its own group only after giving up setgroups.
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{nobody.pw_uid} {user} 1"),
        ("gid_map", f"{nobody.pw_gid} {group} 1"),
    ):
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")


def by_user(own: Path) -> None:
    """Become `nobody` and hand it `own`, but keep root's right to files, since the data folder or the virtual
    environment may be where only root may enter. Raises OSError where root lacks the rights for that."""
    nobody = pwd.getpwnam("nobody")
    _hand_over(own, nobody.pw_uid, nobody.pw_gid)
    _libc("prctl", PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(nobody.pw_gid)
    os.setuid(nobody.pw_uid)
    # Capability sets (effective, permitted, inheritable), low word then high word; ambient survives the exec.
    one = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    _libc("capset", header, (ctypes.c_uint32 * 6)(one, one, one, 0, 0, 0))
    _libc("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def _hand_over(own: Path, user: int, group: int) -> None:
    """Make the folder the account's; at another time the other way may have been the one that worked."""
    if own.stat().st_uid == user:
        return
    for path in (own, *own.rglob("*")):
        os.chown(path, user, group, follow_symlinks=False)


def _libc(function: str, *arguments: object) -> None:
    call: Callable[..., int] = getattr(ctypes.CDLL(None, use_errno=True), function)
    if call(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


if __name__ == "__main__":
    main(sys.argv[1:])
