"""GitHub on this machine: the emulator for the API, a bare repository for pushes, in step.

A gateway stands before the emulator. With each request it shows the emulator what was pushed, and
after a merge it brings the new commit into the bare repository. The emulator computes true ids of
Git objects, so both hold the same ones.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.patience import until

HERE = Path(__file__).parent
INSTALLED = HERE / "node_modules" / "emulate" / "dist"
OWNER, REPO, REVIEWER = "bot", "repo", "grace"
API = f"/repos/{OWNER}/{REPO}"
BOT, PERSON = "bot_token_0123456789", "grace_token_0123456789"
SEED = {
    "tokens": {
        BOT: {"login": OWNER, "scopes": ["repo"]},
        PERSON: {"login": REVIEWER, "scopes": ["repo"]},
    },
    "github": {
        "users": [{"login": OWNER}, {"login": REVIEWER}],
        "repos": [{"owner": OWNER, "name": REPO, "auto_init": True}],
    },
}
# The emulator never moves an open pull request along with its branches, as GitHub does.
MOVES = {
    "function syncBranchFromRef(gh, repo, fullRef, sha) {": "fullRef, sha",
    "function updateBranchSha(gh, repo, branchName, newSha) {": (
        "`refs/heads/${branchName}`, newSha"
    ),
}
FOLLOW = """
function followBranch(gh, repo, ref, sha) {
  for (const pr of gh.pullRequests.findBy("repo_id", repo.id)) {
    if (pr.state !== "open") continue;
    if (ref === `refs/heads/${pr.head_ref}`) gh.pullRequests.update(pr.id, { head_sha: sha });
    if (ref === `refs/heads/${pr.base_ref}`) gh.pullRequests.update(pr.id, { base_sha: sha });
  }
}
"""


def mended(folder: Path) -> Path:
    """A copy of the emulator in which pull requests follow their branches."""
    copy = folder / "dist"
    shutil.copytree(INSTALLED, copy)
    (folder / "node_modules").symlink_to(HERE / "node_modules")
    (folder / "package.json").write_text('{"type": "module"}')
    (path,) = (one for one in copy.glob("*.js") if next(iter(MOVES)) in one.read_text())
    text = path.read_text()
    for begin, what in MOVES.items():
        assert begin in text
        text = text.replace(begin, f"{begin}\n  followBranch(gh, repo, {what});")
    path.write_text(text + FOLLOW)
    return copy / "index.js"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Emulator:
    """The API behind the gateway, and the bare repository `bare`."""

    def __init__(self, port: int, bare: Path) -> None:
        self.port, self.bare = port, bare
        self._shown: dict[str, str] = {}
        self._objects: set[str] = set()
        self.lock = threading.Lock()
        self.requests: list[str] = []
        self.cuts: list[str] = []  # requests that are done, but whose answer is lost on the way

    def ask(self, verb: str, path: str, body: Any = None, token: str = BOT) -> Any:
        """Straight to the emulator."""
        status, _, data = self.send(verb, path, json.dumps(body).encode() if body else b"", {
            "Authorization": f"token {token}", "Content-Type": "application/json"})  # fmt: skip
        assert status < 300, (verb, path, status, data)
        return json.loads(data) if data else None

    def send(
        self, verb: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        line = http.client.HTTPConnection("localhost", self.port, timeout=20)
        try:
            line.request(verb, path, body or None, headers)
            answer = line.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            line.close()

    def git(self, *arguments: str, input: bytes = b"") -> bytes:
        return subprocess.run(
            ["git", "--git-dir", self.bare, *arguments],
            input=input, capture_output=True, check=True,
        ).stdout  # fmt: skip

    def tip(self, branch: str) -> str:
        return self.git("rev-parse", f"refs/heads/{branch}").decode().strip()

    def show(self) -> None:
        """Bring what was pushed into the emulator."""
        listed = self.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads")
        there = dict(line.split() for line in listed.decode().splitlines())
        for ref in [ref for ref in self._shown if ref not in there]:
            self.ask("DELETE", f"{API}/git/{ref}")
            del self._shown[ref]
        for ref, sha in there.items():
            if self._shown.get(ref) == sha:
                continue
            for commit in self.git("rev-list", "--reverse", sha).decode().split():
                self._commit(commit)
            known = ref in self._shown or ref == "refs/heads/main"
            if known:
                self.ask("PATCH", f"{API}/git/{ref}", {"sha": sha, "force": True})
            else:
                self.ask("POST", f"{API}/git/refs", {"ref": ref, "sha": sha})
            self._shown[ref] = sha

    def _commit(self, sha: str) -> None:
        if sha in self._objects:
            return
        head, _, message = self.git("cat-file", "commit", sha).decode().partition("\n\n")
        fields = [line.split(" ", 1) for line in head.splitlines()]
        tree = dict(fields)["tree"]
        people = {key: _person(value) for key, value in fields if key in ("author", "committer")}
        made = self.ask("POST", f"{API}/git/commits", {
            "message": message, "tree": self._tree(tree),
            "parents": [value for key, value in fields if key == "parent"], **people,
        })  # fmt: skip
        assert made["sha"] == sha
        self._objects.add(sha)

    def _tree(self, sha: str) -> str:
        entries = []
        for line in self.git("ls-tree", "-r", sha).decode().splitlines():
            mode, kind, oid, path = line.split(None, 3)
            if oid not in self._objects:
                text = self.git("cat-file", "blob", oid).decode()
                self.ask("POST", f"{API}/git/blobs", {"content": text, "encoding": "utf-8"})
                self._objects.add(oid)
            entries.append({"path": path, "mode": mode, "type": kind, "sha": oid})
        made = self.ask("POST", f"{API}/git/trees", {"tree": entries})
        assert made["sha"] == sha
        return sha

    def fetch_merge(self) -> None:
        """Bring a commit that the emulator made on main into the bare repository."""
        sha = self.ask("GET", f"{API}/git/ref/heads/main")["object"]["sha"]
        if sha == self.tip("main"):
            return
        told = self.ask("GET", f"{API}/git/commits/{sha}")
        people = [f"{key} {told[key]['name']} <{told[key]['email']}> {_seconds(told[key]['date'])}"
                  for key in ("author", "committer")]  # fmt: skip
        lines = [f"tree {told['tree']['sha']}"]
        lines += [f"parent {parent['sha']}" for parent in told["parents"]]
        text = "\n".join([*lines, *people]) + "\n\n" + told["message"].rstrip("\n") + "\n"
        made = self.git("hash-object", "-t", "commit", "-w", "--stdin", input=text.encode())
        assert made.decode().strip() == sha
        self.git("update-ref", "refs/heads/main", sha)
        self._objects.add(sha)
        self._shown["refs/heads/main"] = sha

    # what happens on the forge

    def check(self, commit: str, name: str, conclusion: str, **output: Any) -> None:
        """A check ends."""
        self.ask("POST", f"{API}/check-runs", {
            "name": name, "head_sha": commit, "status": "completed", "conclusion": conclusion,
            "output": {"title": name, "summary": conclusion} | output,
        })  # fmt: skip

    def review(self, number: int, event: str, body: str = "") -> None:
        """A person reviews."""
        said = {"event": event, "body": body}
        self.ask("POST", f"{API}/pulls/{number}/reviews", said, PERSON)

    def protect(self, *checks: str, approvals: int = 0) -> None:
        asked = {"required_approving_review_count": approvals} if approvals else None
        self.ask("PUT", f"{API}/branches/main/protection", {
            "required_status_checks": {"strict": False, "contexts": list(checks)},
            "required_pull_request_reviews": asked, "enforce_admins": True, "restrictions": None,
            "allow_force_pushes": True,
        })  # fmt: skip

    def pulls(self) -> list[Any]:
        found: list[Any] = self.ask("GET", f"{API}/pulls?state=all")
        return found

    def comments(self, number: int) -> list[str]:
        kinds = (f"{API}/issues/{number}/comments", f"{API}/pulls/{number}/comments")
        return [str(one["body"]) for kind in kinds for one in self.ask("GET", kind)]


def _person(text: str) -> dict[str, str]:
    found = re.fullmatch(r"(.*) <(.*)> (\d+) \+0000", text)
    assert found, text
    at = datetime.fromtimestamp(int(found[3]), UTC).isoformat().replace("+00:00", "Z")
    return {"name": found[1], "email": found[2], "date": at}


def _seconds(date: str) -> str:
    return f"{int(datetime.fromisoformat(date).timestamp())} +0000"


class Gateway(BaseHTTPRequestHandler):
    emulator: Emulator

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        kept = {key: self.headers[key] for key in ("Authorization", "Content-Type", "Accept")
                if key in self.headers}  # fmt: skip
        emulator = self.emulator
        with emulator.lock:
            emulator.requests.append(f"{self.command} {self.path.partition('?')[0]}")
            emulator.show()
            status, headers, data = emulator.send(self.command, self.path, body, kept)
            if self.path.endswith("/merge") and status == 200:
                emulator.fetch_merge()
            if emulator.requests[-1] in emulator.cuts:
                emulator.cuts.remove(emulator.requests[-1])
                self.close_connection = True
                return
        self.send_response(status)
        self.send_header("Content-Type", headers.get("content-type", "application/json"))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def log_message(self, *arguments: Any) -> None:
        """Nothing is said."""


def answers(emulator: Emulator, node: subprocess.Popen[bytes]) -> bool:
    assert node.poll() is None, "the emulator ended"
    try:
        emulator.ask("GET", API)
    except OSError:
        return False
    return True


@contextmanager
def running(folder: Path, bare: Path) -> Iterator[tuple[Emulator, str]]:
    """The emulator, and the address of its gateway."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
    port = free_port()  # after the gateway has its own
    seed = folder / "seed.json"
    seed.write_text(json.dumps(SEED))
    node = subprocess.Popen(
        ["node", str(mended(folder)), "start", "--service", "github",
         "--port", str(port), "--seed", str(seed)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ),
    )  # fmt: skip
    emulator = Emulator(port, bare)
    server.RequestHandlerClass = type("Bound", (Gateway,), {"emulator": emulator})
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    try:
        until(lambda: answers(emulator, node), "the emulator does not start")
        thread.start()
        yield emulator, f"http://localhost:{server.server_port}"
    finally:
        if thread.ident:
            server.shutdown()
            thread.join()
        server.server_close()
        node.terminate()
        node.wait()
