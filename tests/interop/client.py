"""What a person does with Hugging Face's own clients, against a hub. Runs where they are installed
(see interop_test.py), with HF_ENDPOINT and HF_TOKEN set. Prints what it did, one line each; any
failure is an exception.

client.py DIGEST ROUND: the SHA-256 of the run's newest weights, and how many rounds it has.
"""

import hashlib
import os
import sys
import tempfile
import threading
from pathlib import Path

import huggingface_hub as hub
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, HfFileSystem
from huggingface_hub.errors import (EntryNotFoundError, HfHubHTTPError, RepositoryNotFoundError,
                                    RevisionNotFoundError)

RUN = "runs/test"
LARGE = 66 << 20  # more than travels in a commit


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def says(text):
    print(text, flush=True)


def fails(kind, call):
    try:
        call()
    except kind as error:
        says(f"as it should: {type(error).__name__}")
        return error
    raise AssertionError(f"no {kind.__name__}")


def read_a_run(digest, rounds):
    api = HfApi()
    assert [m.id for m in api.list_models(author="runs", search="tes")] == [RUN]
    assert [d.id for d in api.list_datasets(author="runs")] == [RUN]
    info = api.model_info(RUN, files_metadata=True)
    lfs = {s.rfilename: s.lfs.sha256 for s in info.siblings if s.lfs}
    assert sorted(lfs) == ["model-f32.gguf", "model.safetensors"], lfs
    assert lfs["model.safetensors"] == digest, lfs
    refs = api.list_repo_refs(RUN)
    assert refs.branches[0].target_commit == info.sha
    assert len(refs.tags) == rounds + 1
    assert len(list(api.list_repo_commits(RUN))) == rounds + 2
    path = hub.hf_hub_download(RUN, "model.safetensors")
    assert sha256(path) == digest
    for tag in refs.tags:
        weights = hub.hf_hub_download(RUN, "model.safetensors", revision=tag.name)
        assert sha256(weights) == api.get_paths_info(
            RUN, ["model.safetensors"], revision=tag.name)[0].lfs.sha256
    says(f"hf_hub_download: the weights of {len(refs.tags)} rounds")
    folder = hub.snapshot_download(RUN)
    assert sorted(os.listdir(folder)) == sorted(api.list_repo_files(RUN))
    data = hub.snapshot_download(RUN, repo_type="dataset")
    says(f"snapshot_download: {len(os.listdir(folder))} files, "
         f"{len(os.listdir(data + '/train'))} shards of data")
    if hasattr(api, "verify_repo_checksums"):
        result = api.verify_repo_checksums(RUN)
        assert not result.mismatches and not result.missing_paths
        says(f"verify_repo_checksums: {result.checked_count} files")
    fs = HfFileSystem()
    assert f"{RUN}/config.json" in fs.ls(RUN, detail=False)
    assert fs.modified(f"{RUN}/config.json") <= fs.modified(f"{RUN}/model.safetensors")
    with fs.open(f"{RUN}/model.safetensors", "rb") as file:
        file.seek(-16, 2)
        assert file.read() == Path(path).read_bytes()[-16:]
    assert hub.get_safetensors_metadata(RUN).parameter_count["F32"] == info.safetensors.total
    assert hub.ModelCard.load(RUN).data.library_name == "transformers"
    says("HfFileSystem, get_safetensors_metadata, ModelCard.load")
    fails(RepositoryNotFoundError, lambda: api.model_info("runs/nope"))
    fails(RevisionNotFoundError, lambda: api.model_info(RUN, revision="round-999"))
    fails(EntryNotFoundError, lambda: hub.hf_hub_download(RUN, "nope.bin"))


def write_a_repository():
    api = HfApi()
    me = api.whoami()["name"]
    repo = f"{me}/interop"
    api.create_repo(repo)
    api.create_repo(repo, exist_ok=True)
    fails(HfHubHTTPError, lambda: api.create_repo("somebody-else/interop"))
    fails(HfHubHTTPError, lambda: api.upload_file(path_or_fileobj=b"x", path_in_repo="x",
                                                 repo_id=RUN))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sub").mkdir()
        (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Hello\n")
        (folder / "sub" / "ä b.txt").write_text("ünïcode\n")
        (folder / "empty").write_bytes(b"")
        (folder / "large.bin").write_bytes(os.urandom(1 << 20) * (LARGE >> 20))
        done = api.upload_folder(repo_id=repo, folder_path=folder)
        says(f"upload_folder: {done.oid}")
        again = api.upload_folder(repo_id=repo, folder_path=folder)
        assert again.oid == done.oid, "nothing changed"
        copy = Path(hub.snapshot_download(repo, revision=done.oid))
        for file in folder.rglob("*"):
            if file.is_file():
                assert sha256(file) == sha256(copy / file.relative_to(folder)), file
        entry = api.get_paths_info(repo, ["large.bin"])[0]
        assert entry.lfs.sha256 == sha256(folder / "large.bin")
    says("downloaded what was uploaded")
    api.upload_file(path_or_fileobj=b"two\n", path_in_repo="sub/two.txt", repo_id=repo)
    fails(HfHubHTTPError, lambda: api.create_commit(
        repo_id=repo, commit_message="late", parent_commit=done.oid,
        operations=[CommitOperationAdd("late", b"late")]))
    api.create_commit(repo_id=repo, commit_message="tidy", operations=[
        CommitOperationDelete("empty"), CommitOperationDelete("sub/two.txt")])
    files = sorted(api.list_repo_files(repo))
    assert files == ["README.md", "large.bin", "sub/ä b.txt"], files
    with HfFileSystem().open(f"{repo}/notes.txt", "w") as file:
        file.write("written through a file system\n")
    titles = [commit.title for commit in api.list_repo_commits(repo)]
    says(f"commits: {titles}")
    data = f"{me}/interop-data"
    api.create_repo(data, repo_type="dataset")
    api.upload_file(path_or_fileobj=b"a,b\n1,2\n", path_in_repo="data.csv", repo_id=data,
                    repo_type="dataset")
    assert Path(hub.hf_hub_download(data, "data.csv", repo_type="dataset")).read_text() == \
        "a,b\n1,2\n"
    fs = HfFileSystem()
    assert f"datasets/{data}/data.csv" in fs.ls(f"datasets/{data}", detail=False)
    assert fs.glob(f"datasets/{data}/*.csv") == [f"datasets/{data}/data.csv"]
    shards = fs.glob(f"datasets/{RUN}/train/*.txt")
    assert shards and fs.info(shards[0])["size"] == len(fs.read_bytes(shards[0]))
    says(f"a data set too; HfFileSystem: {len(shards)} shards of the run's text")
    with tempfile.TemporaryDirectory() as name:
        for i in range(3):
            (Path(name) / f"{i}.txt").write_text(f"{i}\n")
        api.upload_large_folder(repo_id=data, folder_path=name, repo_type="dataset",
                                num_workers=2, print_report=False)
    assert "2.txt" in api.list_repo_files(data, repo_type="dataset")
    says("upload_large_folder")


def branches_and_tags():
    api = HfApi()
    repo = f"{api.whoami()['name']}/interop"
    api.create_branch(repo, branch="dev/x")
    api.create_branch(repo, branch="dev/x", exist_ok=True)
    fails(HfHubHTTPError, lambda: api.create_branch(repo, branch="dev/x"))
    before = api.model_info(repo).sha
    api.upload_file(path_or_fileobj=b"dev\n", path_in_repo="dev.txt", repo_id=repo,
                    revision="dev/x")
    assert api.model_info(repo).sha == before
    assert Path(hub.hf_hub_download(repo, "dev.txt", revision="dev/x")).read_text() == "dev\n"
    fails(RevisionNotFoundError, lambda: api.upload_file(
        path_or_fileobj=b"x", path_in_repo="x", repo_id=repo, revision="nope"))
    api.create_tag(repo, tag="v1", revision="dev/x", tag_message="first")
    api.create_tag(repo, tag="v1", exist_ok=True)
    refs = api.list_repo_refs(repo)
    assert {ref.name for ref in refs.branches} == {"main", "dev/x"}
    assert [ref.name for ref in refs.tags] == ["v1"]
    assert [c.title for c in api.list_repo_commits(repo, revision="v1")][1:] == \
        [c.title for c in api.list_repo_commits(repo)]
    api.delete_branch(repo, branch="dev/x")
    assert hub.hf_hub_download(repo, "dev.txt", revision="v1")
    api.delete_tag(repo, tag="v1")
    fails(HfHubHTTPError, lambda: api.delete_tag(repo, tag="v1"))
    fails(HfHubHTTPError, lambda: api.delete_branch(repo, branch="main"))
    api.update_repo_settings(repo, gated=False)
    fails(HfHubHTTPError, lambda: api.update_repo_settings(repo, private=True))
    says("branches, tags, settings")
    other = f"{api.whoami()['name']}/short-lived"
    api.create_repo(other)
    api.delete_repo(other)
    api.delete_repo(other, missing_ok=True)
    fails(RepositoryNotFoundError, lambda: api.delete_repo(other))
    fails(RepositoryNotFoundError, lambda: api.model_info(other))
    says("delete_repo")


def commits_at_once():
    """Several writers that name no parent: all are taken, one after the other."""
    api = HfApi()
    repo = f"{api.whoami()['name']}/interop"
    results = []

    def write(number):
        try:
            api.upload_file(path_or_fileobj=str(number).encode(), path_in_repo=f"n/{number}",
                            repo_id=repo)
            results.append(200)
        except HfHubHTTPError as error:
            results.append(error.response.status_code)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    there = [f for f in api.list_repo_files(repo) if f.startswith("n/")]
    assert results == [200] * 4 and len(there) == 4, results
    says("four commits at once")


def use_transformers():
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        says(f"SKIPPED from_pretrained, push_to_hub: {error}")
        return
    tokenizer = AutoTokenizer.from_pretrained(RUN)
    model = AutoModelForCausalLM.from_pretrained(RUN, revision="round-1")
    text = tokenizer.decode(model.generate(**tokenizer("def ", return_tensors="pt"),
                                           max_new_tokens=12, do_sample=False)[0])
    says(f"from_pretrained: {type(model).__name__}, which goes on: {text!r}")
    mine = f"{HfApi().whoami()['name']}/pushed"
    model.push_to_hub(mine)
    tokenizer.push_to_hub(mine)
    again = AutoModelForCausalLM.from_pretrained(mine)
    pairs = zip(model.state_dict().items(), again.state_dict().items(), strict=True)
    assert all(a[0] == b[0] and a[1].equal(b[1]) for a, b in pairs)
    says("push_to_hub and back: the same weights")


def main():
    says(f"huggingface_hub {hub.__version__}")
    read_a_run(sys.argv[1], int(sys.argv[2]))
    write_a_repository()
    branches_and_tags()
    commits_at_once()
    use_transformers()


main()
