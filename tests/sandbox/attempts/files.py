"""Files: reading and writing what is not the command's, directly and by a detour."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from base import Lab, add, attempt

PLACES = ("home", "ssh", "opt", "srv", "mnt", "media", "run", "varlib", "vartmp", "cache", "shm",
          "tmp", "local", "other-home", "neighbour", "repository", "state")  # fmt: skip


def read(place: str) -> None:
    def run(lab: Lab) -> object:
        return lab["token"] in Path(lab["places"][place], "secret").read_text() and "read"

    add(f"read-{place}", run)


def write(place: str) -> None:
    def run(lab: Lab) -> object:
        path = Path(lab["places"][place], f"written-{os.getpid()}")
        path.write_text("x")
        path.unlink()
        return "written"

    add(f"write-{place}", run)


for _place in PLACES:
    read(_place)
    write(_place)


@attempt("root")
def read_shadow(lab: Lab) -> object:
    return Path("/etc/shadow").read_text()[:10]


@attempt("root")
def read_root_home(lab: Lab) -> object:
    return lab["token"] in Path(lab["root_secret"]).read_text() and "read"


@attempt()
def list_homes(lab: Lab) -> object:
    return Path(lab["places"]["home"]).name in os.listdir(Path(lab["places"]["home"]).parent)


@attempt()
def climb_by_dots(lab: Lab) -> object:
    steps = "../" * 12
    return Path(lab["workspace"], steps + lab["places"]["neighbour"][1:], "secret").read_text()


@attempt()
def climb_by_descriptor(lab: Lab) -> object:
    here = os.open(lab["workspace"], os.O_RDONLY)
    for _ in range(12):
        here = os.open("..", os.O_RDONLY, dir_fd=here)
    name = lab["places"]["neighbour"][1:] + "/secret"
    return os.read(os.open(name, os.O_RDONLY, dir_fd=here), 100)


@attempt()
def write_through_symlink(lab: Lab) -> object:
    link = Path(lab["workspace"], f"link-{os.getpid()}")
    link.symlink_to(lab["places"]["neighbour"])
    try:
        (link / "through").write_text("x")
        return "written"
    finally:
        link.unlink()


@attempt()
def hard_link_out(lab: Lab) -> object:
    link = Path(lab["workspace"], f"hard-{os.getpid()}")
    link.hardlink_to(Path(lab["places"]["neighbour"], "secret"))
    link.unlink()
    return "linked"


@attempt()
def rename_out(lab: Lab) -> object:
    mine, theirs = Path(lab["workspace"], "mine"), Path(lab["places"]["neighbour"], "moved")
    mine.write_text("x")
    mine.rename(theirs)
    theirs.unlink()
    return "moved"


@attempt()
def plant_git_hook(lab: Lab) -> object:
    hook = Path(lab["places"]["repository"], "hooks", "post-commit")
    hook.write_text("#!/bin/sh\n")
    hook.unlink()
    return "planted"


@attempt()
def change_git_config(lab: Lab) -> object:
    with Path(lab["places"]["repository"], "config").open("a") as config:
        return config.write("\n")


@attempt()
def write_toolchain(lab: Lab) -> object:
    path = Path(lab["toolchain"], f"planted-{os.getpid()}.py")
    path.write_text("x")
    path.unlink()
    return "planted"


@attempt()
def chmod_toolchain(lab: Lab) -> object:
    Path(lab["toolchain"], "module.py").chmod(0o777)
    return "opened"


@attempt("root")
def write_system_program(lab: Lab) -> object:
    path = Path(f"/usr/bin/planted-{lab['token']}")
    path.write_text("x")
    path.unlink()
    return "planted"


@attempt("root")
def write_cron(lab: Lab) -> object:
    path = Path(f"/etc/cron.d/planted-{lab['token']}")
    path.write_text("#\n")
    path.unlink()
    return "planted"


@attempt("root")
def write_proc_sys(lab: Lab) -> object:
    with open("/proc/sys/kernel/core_pattern", "r+"):
        return "opened"


@attempt("root")
def open_sysrq(lab: Lab) -> object:
    with open("/proc/sysrq-trigger", "w"):
        return "opened"


@attempt("root")
def write_sys(lab: Lab) -> object:
    with open("/sys/kernel/mm/transparent_hugepage/enabled", "r+"):
        return "opened"


@attempt("root")
def make_cgroup(lab: Lab) -> object:
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/pids", "/sys/fs/cgroup/memory"):
        path = Path(root, f"planted-{lab['token']}")
        if Path(root, "cgroup.procs").exists():
            path.mkdir()
            path.rmdir()
            return "made"
    return ""


@attempt("root")
def leave_setuid_root(lab: Lab) -> object:
    path = Path(lab["workspace"], f"suid-{os.getpid()}")
    shutil.copy("/usr/bin/true", path)
    path.chmod(0o4755)
    found = path.stat()
    path.unlink()
    return found.st_uid == 0 and found.st_mode & stat.S_ISUID


@attempt("root")
def make_disk_node(lab: Lab) -> object:
    path = Path(lab["workspace"], f"node-{os.getpid()}")
    os.mknod(path, 0o600 | stat.S_IFBLK, os.makedev(254, 0))
    path.unlink()
    return "made"


@attempt("root")
def make_memory_node(lab: Lab) -> object:
    path = Path(lab["workspace"], f"node-{os.getpid()}")
    os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 1))
    path.unlink()
    return "made"


@attempt("root")
def read_disk(lab: Lab) -> object:
    for device in Path("/sys/block").iterdir():
        with open(Path("/dev", device.name), "rb") as disk:
            return disk.read(1) and device.name
    return ""


@attempt("root")
def open_kernel_log(lab: Lab) -> object:
    return os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)


@attempt("root")
def open_fuse(lab: Lab) -> object:
    return os.open("/dev/fuse", os.O_RDWR)


@attempt("root")
def read_kernel_symbols(lab: Lab) -> object:
    lines = Path("/proc/kallsyms").read_text().splitlines()
    return int(lines[0].split()[0], 16)
