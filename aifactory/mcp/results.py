"""The result of a tool as text; what is none is named and left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aifactory.mcp.client import ServerBroken
from aifactory.mcp.messages import plain


def told(server: str, result: Mapping[str, Any]) -> str:
    """What a model is told. Raises ServerBroken for what is no result."""
    content, structured = result.get("content", []), result.get("structuredContent")
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise ServerBroken(f"the MCP server {server} is broken: it sent a result without content")
    parts = [part for one in content for part in _part(one)]
    if structured is not None and not any(_same(part, structured) for part in parts):
        parts.append(json.dumps(structured, ensure_ascii=False, indent=1))
    text = plain("\n".join(parts)) or "(nothing)"
    return f"error: {text}" if result.get("isError") is True else text


def _part(one: Mapping[str, Any]) -> Iterator[str]:
    match one.get("type"), one:
        case "text", {"text": str(text)}:
            yield text
        case "resource_link", {"uri": str(uri)}:
            yield f"(a link: {uri[:1000]})"
        case "resource", {"resource": {"text": str(text)}}:
            yield text
        case kind, _:
            yield f"(left out: {kind!r:.40}{_size(one)}, which is not shown to a model here)"


def _size(one: Mapping[str, Any]) -> str:
    inner = one.get("resource")
    holder = inner if isinstance(inner, dict) else one
    data, kind = holder.get("data", holder.get("blob")), holder.get("mimeType")
    known = [f"{kind!s:.60}"] if kind else []
    known += [f"{len(data)} characters of base64"] if isinstance(data, str) else []
    return f" ({', '.join(known)})" if known else ""


def _same(text: str, value: Any) -> bool:
    """Whether a text is only the value once more, as the protocol recommends."""
    if isinstance(value, dict) and [*value.values()] == [text]:
        return True
    try:
        return bool(json.loads(text) == value)
    except (ValueError, RecursionError):
        return False
