"""As root, before the backend: a mount namespace where the sandbox user sees only its own view.

Run like the guard as `-I -S -c` with the standard library only, and by root; its plan
comes first through standard input and the rest of the pipe is left for the guard. What the
sandbox user cannot reach (an interpreter below /root, say) is attached at the same path on
an empty, size-limited filesystem that covers the directory above it (study/sandbox.md, 9 and 13).
"""

# ruff: noqa: PTH103, PTH112, PTH116, PTH118, PTH120 - pathlib would cost as much as the rest

from __future__ import annotations

import ctypes
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Plan = dict[str, Any]


NEW_NAMESPACE, RECURSIVE, PRIVATE = 0x20000, 0x4000, 1 << 18
NO_SUID, NO_DEVICES, READ_ONLY = 2, 4, 1
OPEN_TREE, MOVE_MOUNT, SET_ATTRIBUTES = 428, 429, 442
HERE, CLONE, CLOSE, WHOLE, EMPTY_PATH = -100, 1, 0o2000000, 0x8000, 0x1000
UNUSABLE = 126

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def mount(kind: str | None, target: str, flags: int, options: str = "") -> None:
    source = None if kind is None else kind.encode()
    data = options.encode() or None
    check(libc.mount(source, os.fsencode(target), source, flags, data), "mount " + target)


def cover(path: str, mode: int, size: int) -> None:
    """Hide a directory behind an empty filesystem of at most `size` bytes."""
    inodes = max(1024, size // 8192)
    options = f"mode={mode:o},size={size},nr_inodes={inodes}"
    mount("tmpfs", path, NO_SUID | NO_DEVICES, options)


def pick(path: str) -> int:
    """A detached copy of the mounts at `path`, taken before anything is covered."""
    flags = CLONE | CLOSE | WHOLE
    return check(libc.syscall(OPEN_TREE, HERE, os.fsencode(path), flags), "open " + path)


def make_directory(path: str, fresh: set[int]) -> None:
    """Make a directory and its parents, but only on the filesystems that were just mounted.

    This runs as root: what is made elsewhere would be made on the machine itself.
    """
    parent = path
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if os.path.realpath(parent) != parent:
        raise OSError(f"{parent} is reached through a link")
    if parent != path and os.stat(parent).st_dev not in fresh:
        raise OSError(f"{parent} was not covered")
    os.makedirs(path, 0o755, exist_ok=True)


def write_file(path: str, content: bytes, fresh: set[int]) -> None:
    """Write a new file on a filesystem that was just mounted."""
    parent = os.path.dirname(path)
    make_directory(parent, fresh)
    if os.stat(parent).st_dev not in fresh:
        raise OSError(f"{parent} was not covered")
    with open(path, "xb") as file:
        file.write(content)


def attach(tree: int, path: str, is_directory: bool, fresh: set[int]) -> None:
    if is_directory:
        make_directory(path, fresh)
    elif not os.path.lexists(path):
        write_file(path, b"", fresh)
    result = libc.syscall(MOVE_MOUNT, tree, b"", HERE, os.fsencode(path), 4)
    check(result, "attach " + path)
    os.close(tree)


def seal(path: str, attributes: int) -> None:
    """Set mount flags on everything mounted at and below `path`."""
    flags = (ctypes.c_uint64 * 4)(attributes, 0, 0, 0)
    call = (
        SET_ATTRIBUTES,
        HERE,
        os.fsencode(path),
        WHOLE,
        ctypes.byref(flags),
        ctypes.c_size_t(32),
    )
    check(libc.syscall(*call), "seal " + path)


def read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def build(plan: Plan) -> None:
    """Cover what is not the command's and attach what is, read-only but for the workspace."""
    check(libc.unshare(NEW_NAMESPACE), "unshare")
    mount(None, "/", RECURSIVE | PRIVATE)
    trees = [(pick(source), target, os.path.isdir(source)) for source, target in plan["trees"]]
    files = [(path, read(path)) for path in plan["copies"]]
    files += [(path, text.encode()) for path, text in plan["files"]]
    for path, mode, size in plan["covers"]:
        cover(path, mode, size)
    fresh = {os.stat(path).st_dev for path, _, _ in plan["covers"]}
    for path in plan["directories"]:
        make_directory(path, fresh)
    for path, content in files:
        write_file(path, content, fresh)
    for tree, target, is_directory in trees:
        attach(tree, target, is_directory, fresh)
        if target == plan["workspace"]:
            fresh.add(os.stat(target).st_dev)  # a tree inside it needs a place to stand
        seal(target, NO_SUID | NO_DEVICES | (READ_ONLY if target != plan["workspace"] else 0))
    make_directory(plan["home"], fresh)
    os.chown(plan["home"], plan["uid"], plan["gid"])


def become(plan: Plan) -> None:
    os.setgroups([])
    os.setresgid(plan["gid"], plan["gid"], plan["gid"])
    os.setresuid(plan["uid"], plan["uid"], plan["uid"])
    os.umask(0o022)


def main(plan: Plan) -> None:
    try:
        for group in plan["groups"]:
            with open(os.path.join(group, "cgroup.procs"), "w") as processes:
                processes.write("0")
        build(plan)
        become(plan)
        os.chdir("/")
        os.execve(plan["line"][0], plan["line"], plan["environment"])
    except OSError as error:
        os.write(2, (f"launcher: {error}\n").encode())
        sys.exit(UNUSABLE)
