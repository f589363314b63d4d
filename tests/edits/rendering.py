"""A change of a tree, written down in each of the five formats as a careful model would."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping

Tree = Mapping[str, str]


def lines_of(text: str) -> list[str]:
    *ended, last = text.split("\n")
    return [*(line + "\n" for line in ended), *([last] if last else [])]


def changed(before: Tree, after: Tree) -> list[str]:
    return sorted(p for p in {*before, *after} if before.get(p) != after.get(p))


def whole(before: Tree, after: Tree) -> str:
    return "\n".join(_fenced(path, after[path]) for path in changed(before, after))


def _fenced(path: str, text: str) -> str:
    marks = "`" * (1 + max([2, *map(len, re.findall("`+", text))]))
    return f"{path}\n{marks}\n{text}{marks}\n"


def search_replace(before: Tree, after: Tree) -> str:
    return "\n".join(
        f"{path}\n```\n<<<<<<< SEARCH\n{before.get(path, '')}=======\n"
        f"{after[path]}>>>>>>> REPLACE\n```\n"
        for path in changed(before, after)
    )


def udiff(before: Tree, after: Tree, *, context: int = 10_000) -> str:
    return "".join(
        "".join(_file_diff(path, before, after, context)) for path in changed(before, after)
    )


def _file_diff(path: str, before: Tree, after: Tree, context: int) -> Iterator[str]:
    yield f"diff --git a/{path} b/{path}\n"
    if path not in before:
        yield "new file mode 100644\n"
    if path not in after:
        yield "deleted file mode 100644\n"
    old = f"a/{path}" if path in before else "/dev/null"
    new = f"b/{path}" if path in after else "/dev/null"
    found = difflib.unified_diff(
        lines_of(before.get(path, "")), lines_of(after.get(path, "")), old, new, n=context
    )
    for line in found:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def v4a(before: Tree, after: Tree) -> str:
    files = "".join(_envelope_file(path, before, after) for path in changed(before, after))
    return f"*** Begin Patch\n{files}*** End Patch\n"


def _envelope_file(path: str, before: Tree, after: Tree) -> str:
    if path not in after:
        return f"*** Delete File: {path}\n"
    if path not in before:
        return f"*** Add File: {path}\n" + "".join(f"+{line}" for line in lines_of(after[path]))
    differ = difflib.ndiff(lines_of(before[path]), lines_of(after[path]))
    body = "".join(line[0] + line[2:] for line in differ if line[0] in " -+")
    return f"*** Update File: {path}\n@@\n{body}"


def json_edits(before: Tree, after: Tree) -> str:
    return json.dumps({"edits": [_edit(path, before, after) for path in changed(before, after)]})


def _edit(path: str, before: Tree, after: Tree) -> dict[str, str]:
    if path not in after:
        return {"op": "delete", "path": path}
    if before.get(path) and before[path].count(before[path]) == 1:
        return {"op": "replace", "path": path, "old": before[path], "new": after[path]}
    return {"op": "write", "path": path, "content": after[path]}
