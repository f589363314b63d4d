"""The only caller of Git, hardened and durable."""

from aifactory.git.environment import HARDENED, users_environment
from aifactory.git.objects import Entry, Identity, format_commit, format_tree, parse_tree
from aifactory.git.remotes import Remote
from aifactory.git.repository import Repository, discover, identity

__all__ = [
    "HARDENED",
    "Entry",
    "Identity",
    "Remote",
    "Repository",
    "discover",
    "format_commit",
    "format_tree",
    "identity",
    "parse_tree",
    "users_environment",
]
