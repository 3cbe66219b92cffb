"""The requests of Hugging Face clients, as huggingface_hub 1.23 sends them, through a real hub:
token, repository, commit, large file, download with ranges. Needs no client (tests/interop has
them)."""

import base64
import hashlib
import http.client
import json
import urllib.parse

from harness import Process, check, main, run_json, wait_until, workdir


class Wire:
    def __init__(self, url, token):
        self.host = urllib.parse.urlsplit(url).netloc
        self.token = token

    def ask(self, method, target, body=None, headers=None, auth=True):
        connection = http.client.HTTPConnection(self.host, timeout=60)
        fields = {"user-agent": "unknown/None; hf_hub/1.23.0", "accept": "*/*", **(headers or {})}
        if auth:
            fields["authorization"] = f"Bearer {self.token}"
        connection.request(method, target, body, fields)
        response = connection.getresponse()
        data = response.read()
        connection.close()
        return response, data

    def json(self, method, target, value=None, status=200):
        body = None if value is None else json.dumps(value)
        response, data = self.ask(method, target, body, {"content-type": "application/json"})
        check(response.status == status, f"{method} {target}: {response.status} {data[:500]}")
        return json.loads(data)


def commit_body(summary, operations):
    lines = [{"key": "header", "value": {"summary": summary, "description": ""}}, *operations]
    return "".join(json.dumps(line) + "\n" for line in lines)


def upload(wire, large):
    check(wire.json("GET", "/api/whoami-v2")["name"] == "alice", "whoami")
    wire.json("POST", "/api/repos/create", {"name": "bert", "organization": None})
    wire.json("POST", "/api/validate-yaml", {"content": "---\n---\n", "repoType": "model"})
    modes = wire.json("POST", "/api/models/alice/bert/preupload/main",
                      {"files": [{"path": "README.md", "size": 3, "sample": "YWJj"}]})
    check(modes["files"] == [{"path": "README.md", "shouldIgnore": False,
                              "uploadMode": "regular"}], f"preupload: {modes}")
    digest = hashlib.sha256(large).hexdigest()
    batch = {"operation": "upload", "transfers": ["basic", "multipart"], "hash_algo": "sha256",
             "objects": [{"oid": digest, "size": len(large)}], "ref": {"name": "main"}}
    objects = wire.json("POST", "/alice/bert.git/info/lfs/objects/batch", batch)["objects"]
    target = urllib.parse.urlsplit(objects[0]["actions"]["upload"]["href"])
    response, _ = wire.ask("PUT", f"{target.path}?{target.query}", large, auth=False)
    check(response.status == 201, f"PUT: {response.status}")
    body = commit_body("First", [
        {"key": "file", "value": {"content": base64.b64encode(b"abc").decode(),
                                  "path": "README.md", "encoding": "base64"}},
        {"key": "lfsFile", "value": {"path": "sub/w.bin", "algo": "sha256", "oid": digest,
                                     "size": len(large)}}])
    response, data = wire.ask("POST", "/api/models/alice/bert/commit/main", body,
                              {"content-type": "application/x-ndjson"})
    check(response.status == 200, f"commit: {response.status} {data}")
    return json.loads(data)["commitOid"], digest


def download(wire, oid, digest, large):
    info = wire.json("GET", "/api/models/alice/bert/revision/main")
    check(info["sha"] == oid, "the head is the commit")
    tree = wire.json("GET", f"/api/models/alice/bert/tree/{oid}?recursive=true&expand=false")
    check([entry["path"] for entry in tree] == ["README.md", "sub", "sub/w.bin"], f"tree: {tree}")
    url = f"/alice/bert/resolve/{oid}/sub/w.bin"
    response, data = wire.ask("HEAD", url, headers={"accept-encoding": "identity"})
    check(response.status == 200 and data == b"", "HEAD")
    check(response.headers["etag"] == f'"{digest}"', "ETag")
    check(response.headers["content-length"] == str(len(large)), "Content-Length")
    check(response.headers["x-repo-commit"] == oid, "X-Repo-Commit")
    response, data = wire.ask("GET", url)
    check(data == large, "GET")
    response, data = wire.ask("GET", url, headers={"range": f"bytes={len(large) - 10}-"})
    check(response.status == 206 and data == large[-10:], "Range")
    response, _ = wire.ask("GET", "/alice/bert/resolve/main/nope")
    check(response.status == 404 and response.headers["x-error-code"] == "EntryNotFound", "404")


def audit(work, digest):
    """What was uploaded is audited: what is there must be what it is called, and may be missing."""
    def verify(code=0):
        return run_json("verify", "--data", work / "hub", "--dir", work / "audit", code=code)
    report = verify()
    check(report["verified"], "the log is verified")
    found = report["repositories"]
    state = found.pop("state")
    check(found == {"count": 1, "revisions": 1, "files": 2, "missing": 0}, f"found: {found}")
    blob = work / "hub" / "blobs" / digest[:2] / digest
    data = blob.read_bytes()
    blob.chmod(0o644)
    blob.write_bytes(data[:-1] + b"x")
    check("blobs/" in verify(code=5)["faults"][0]["place"], "other bytes are a fault")
    blob.unlink()
    again = verify()["repositories"]
    check(again["missing"] == 1 and again["state"] == state, f"a missing file is counted: {again}")


def test():
    large = bytes(range(256)) * 4096
    with workdir("hf") as work:
        hub = Process("hub", ["hub", "--data", work / "hub", "--listen", "127.0.0.1:0"],
                      work).start()
        url = hub.event("started", 30)["url"]
        desk = ["--hub", url, "--key", work / "key.pem", "--dir", work / "desk"]
        token = run_json("token", "new", "--namespace", "alice", *desk)
        wire = Wire(url, token["token"])
        oid, digest = upload(wire, large)
        download(wire, oid, digest, large)
        run_json("token", "revoke", token["token"], *desk)
        check(wire.ask("GET", "/api/whoami-v2")[0].status == 401, "a revoked token is none")
        check(wire.ask("POST", "/api/models/alice/bert/commit/main", b"{}")[0].status == 401, "401")
        # Everything is there again after a restart: it is all on the log.
        hub.interrupt()
        check(hub.wait(20) == 130, "the hub stops when asked")
        hub.start()
        again = wait_until(lambda: [event for event in list(hub.events)
                                    if event.get("event") == "started"][1:], 30, "a new start")
        wire.host = urllib.parse.urlsplit(again[0]["url"]).netloc
        download(wire, oid, digest, large)
        hub.interrupt()
        hub.wait(20)
        audit(work, digest)


main(test)
