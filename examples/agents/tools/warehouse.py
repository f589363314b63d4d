"""An MCP server: what the warehouse holds. Only the standard library, one message on a line."""

import json
import sys

HELD = {"apple": 120, "pear": 7}
COUNT = {
    "name": "count",
    "description": "How many pieces of an article the warehouse holds.",
    "inputSchema": {
        "type": "object",
        "properties": {"article": {"type": "string", "description": "Such as `apple`."}},
        "required": ["article"],
    },
}


def answer(method, params):
    if method == "initialize":
        about = {"name": "warehouse", "version": "1"}
        version = params["protocolVersion"]
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}
    if method == "tools/list":
        return {"tools": [COUNT]}
    held = HELD.get(params["arguments"]["article"])
    said = "no such article" if held is None else str(held)
    return {"content": [{"type": "text", "text": said}], "isError": held is None}


for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        result = answer(message["method"], message.get("params", {}))
        told = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
