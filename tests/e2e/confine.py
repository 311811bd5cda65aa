#!/usr/bin/env python3
"""Becomes the process of a container, confined as config/manager/deployment.yaml wants it: in its root, which is
read-only and all that it can see, as its user, with no privilege that it could ever gain.

  confine.py BUNDLE   a folder with config.json and rootfs, as the OCI Runtime Specification has it; run as root
"""

import ctypes
import json
import os
import pathlib
import sys

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
LIBC = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source, target, flags):
    checked(LIBC.mount(os.fsencode(source), os.fsencode(target), None, flags, None))


def prctl(option, value):
    checked(LIBC.prctl(*(ctypes.c_ulong(word) for word in (option, value, 0, 0, 0))))


def enter(root):
    """Leaves all of this machine's files but those of root behind."""
    os.unshare(os.CLONE_NEWNS)
    mount("none", "/", MS_REC | MS_PRIVATE)
    mount(root, root, MS_BIND)
    mount(root, root, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)
    os.chroot(root)


def give_up_privileges(uid, gid, last_capability):
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    for capability in range(last_capability + 1):
        prctl(PR_CAPBSET_DROP, capability)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def main():
    bundle = pathlib.Path(sys.argv[1]).absolute()
    process = json.loads((bundle / "config.json").read_text())["process"]
    last_capability = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text())
    enter(bundle / "rootfs")
    os.chdir(process["cwd"])
    give_up_privileges(process["user"]["uid"], process["user"]["gid"], last_capability)
    os.execve(process["args"][0], process["args"], dict(one.split("=", 1) for one in process["env"]))


if __name__ == "__main__":
    main()
