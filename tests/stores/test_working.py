"""Working copies: what reaches a store, in which order, and what holds when all ends amid it."""

from __future__ import annotations

import itertools
import shutil

import pytest

from sdgan_tf.files import (
    atomic_file,
    atomic_folder,
    local_file,
    local_path,
    refresh,
    remove_file,
    remove_folder,
    write_json,
)
from sdgan_tf.stores import StoreError, remote, shown, working
from sdgan_tf.training import RunDirectory
from sdgan_tf.training.cluster import Cluster

CONFIG = {"model": {"name": "sdgan", "config": {}}}
RUN = "memory://bucket/run"


def there(memory, root="/bucket"):
    """Return what lies in a store: contents by name."""
    return {name[len(root) + 1 :]: memory.cat_file(name) for name in memory.find(root)}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.write(content)


def train(steps=6):
    """Do what training does with files: a log line a step, a checkpoint every second one, of which one is kept; and a
    folder that replaces an older one.
    """
    run = local_path(RUN)
    if not (run / "config.json").exists():
        run.mkdir(parents=True, exist_ok=True)
        write_json(run / "config.json", {"a": 1})
    saved = sorted((run / "checkpoints").glob("step-*.npz"))
    start = int(saved[-1].stem[5:]) if saved else 0
    log = run / "metrics.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    assert lines[:start] == [str(step) for step in range(1, start + 1)]
    write(log, "".join(f"{line}\n" for line in lines[:start]).encode())
    for step in range(start + 1, steps + 1):
        with open(log, "a") as file:
            file.write(f"{step}\n")
        if step % 2 == 0:
            write(run / "checkpoints" / f"step-{step:08d}.npz", b"state %d" % step)
            for old in saved:
                remove_file(old)
            saved = [run / "checkpoints" / f"step-{step:08d}.npz"]
    for old in sorted((run / "checkpoints").glob("step-*.npz"))[:-1]:
        remove_file(old)
    if (run / "verifier").exists():
        remove_folder(run / "verifier")
    with atomic_folder(run / "verifier") as folder:
        (folder / "deep").mkdir()
        (folder / "deep" / "weights").write_text("w")
        (folder / "config").write_text("c")


DONE = {
    "run/config.json": b'{\n  "a": 1\n}\n',
    "run/metrics.jsonl": b"1\n2\n3\n4\n5\n6\n",
    "run/checkpoints/step-00000006.npz": b"state 6",
    "run/verifier/deep/weights": b"w",
    "run/verifier/config": b"c",
}


class Killed(BaseException):
    """What ends a process at once."""


@pytest.fixture
def kill(monkeypatch):
    """Return what kills this process, as it were, at the call of the store of a number: before its effect or after."""
    calls = itertools.count()
    end = {"at": None, "after": False, "dead": False}

    def wrapped(method):
        def call(*arguments):
            due = next(calls) == end["at"]
            end["dead"] = end["dead"] or due
            result = None if due and not end["after"] else method(*arguments)
            if due:
                raise Killed
            return result

        return call

    for name in ("signs", "get", "put", "mark", "delete"):
        monkeypatch.setattr(remote.Remote, name, wrapped(getattr(remote.Remote, name)))
    note = working.WorkingCopy._note
    # A process that is dead writes no record any more.
    monkeypatch.setattr(working.WorkingCopy, "_note", lambda own: end["dead"] or note(own))

    def at(number, after):
        nonlocal calls
        calls = itertools.count()
        end.update(at=number, after=after, dead=False)

    return at


@pytest.mark.parametrize(
    ("next_machine", "after"), [("first", False), ("first", True), ("second", True)]
)
def test_killed_at_any_call_the_same_command_ends_with_the_same_bytes(
    memory, machine, kill, after, next_machine, tmp_path, monkeypatch
):
    monkeypatch.setattr("os.fsync", lambda number: None)  # It takes the time.
    for number in itertools.count():
        memory.store.clear()
        for name in ("first", "second"):
            shutil.rmtree(tmp_path / name, ignore_errors=True)
        machine("first")
        kill(None, after)
        train(2)
        kill(number, after)
        try:
            train()
        except Killed:
            kill(None, after)
            machine(next_machine)
            train()
            assert there(memory) == DONE, number
        else:
            break
    assert number > 25
    assert there(memory) == DONE


def test_what_a_checkpoint_counts_on_is_there_before_it(memory, monkeypatch):
    order = []
    put = remote.Remote.put
    monkeypatch.setattr(
        remote.Remote,
        "put",
        lambda own, files, names: (order.append(names), put(own, files, names)),
    )
    train(2)
    assert order[:4] == [
        ["config.json"], ["metrics.jsonl"], ["metrics.jsonl"], ["checkpoints/step-00000002.npz"]
    ]  # fmt: skip
    assert order[4:] == [["verifier/deep/weights"], ["verifier/config"]]


def test_what_is_unchanged_is_fetched_once(memory, machine, monkeypatch):
    memory.pipe({"/bucket/faces/a/1.png": b"1", "/bucket/faces/b/1.png": b"2"})
    fetched = []
    get = remote.Remote.get
    monkeypatch.setattr(
        remote.Remote,
        "get",
        lambda own, names, *more: (fetched.extend(names), get(own, names, *more)),
    )
    path = local_path("memory://bucket/faces/")
    assert (path / "a" / "1.png").read_bytes() == b"1"
    assert local_path("memory:/bucket/faces") == path and sorted(fetched) == ["a/1.png", "b/1.png"]
    # Somebody clears the temporary directory: nothing is taken for removed.
    (path / "b" / "1.png").unlink()
    memory.pipe("/bucket/faces/a/1.png", b"new")
    local_path("memory://bucket/faces")
    assert (path / "b" / "1.png").read_bytes() == b"2"
    assert (path / "a" / "1.png").read_bytes() == b"new"
    assert len(fetched) == 4 and len(there(memory)) == 2
    memory.rm("/bucket/faces/a", recursive=True)
    local_path("memory://bucket/faces")
    assert [entry.name for entry in path.iterdir()] == ["b"]


def test_what_was_fetched_in_part_does_not_stay(memory, monkeypatch):
    memory.pipe("/bucket/faces/a/1.png", b"1")

    def breaks(own, names, files, *_):
        for file in files:
            file.write_bytes(b"")
        raise StoreError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(remote.Remote, "get", breaks)
        with pytest.raises(StoreError, match="gone"):
            local_path("memory://bucket/faces")
    path = local_path("memory://bucket/faces")
    assert [entry.name for entry in (path / "a").iterdir()] == ["1.png"]


def test_a_single_file_and_one_with_its_neighbours(memory):
    memory.pipe({"/bucket/a/list.csv": b"1", "/bucket/a/beside": b"2"})
    path = local_path("memory://bucket/a/list.csv")
    assert path.name == "list.csv" and path.read_bytes() == b"1"
    assert [entry.name for entry in path.parent.iterdir()] == ["list.csv"]
    write(path, b"longer")
    assert there(memory)["a/list.csv"] == b"longer"
    assert (local_file("memory://bucket/a/list.csv").parent / "beside").read_bytes() == b"2"
    assert shown(f"in {path}.") == "in memory://bucket/a/list.csv."


def test_names_that_would_leave_the_copy_are_left_out(memory, tmp_path):
    memory.store.update(
        {
            f"/bucket/run{name}": memory.open("/x", "wb")
            for name in ("/../../evil", "/.hidden/a", "//b")
        }
    )
    memory.pipe("/bucket/run/good", b"1")
    path = local_path(RUN)
    assert [entry.name for entry in path.parent.rglob("*")] == ["run", "good"]
    for url in ("memory://bucket/../run", "memory://"):
        with pytest.raises(ValueError, match="name a bucket and a folder"):
            local_path(url)


def test_what_could_not_be_uploaded_comes_first_the_next_time(memory, monkeypatch):
    run = local_path(RUN)
    write(run / "checkpoints" / "step-00000002.npz", b"2")
    with monkeypatch.context() as patched:
        patched.setattr(remote, "PATIENCE", 0)
        patched.setattr(type(memory), "put_file", fails(ConnectionError("gone")))
        with pytest.raises(StoreError) as told:
            write(run / "checkpoints" / "step-00000004.npz", b"4")
    assert str(told.value).startswith(f"{RUN} cannot be written: gone. The last good checkpoint")
    assert f"there is {RUN}/checkpoints/step-00000002.npz. " in str(told.value)
    assert f"kept below {run.parents[2]}: the same command again uploads it" in str(told.value)
    assert there(memory) == {"run/checkpoints/step-00000002.npz": b"2"}
    assert local_path(RUN) == run
    assert there(memory, "/bucket/run/checkpoints") == {
        "step-00000002.npz": b"2", "step-00000004.npz": b"4"
    }  # fmt: skip


def test_where_others_went_on_the_store_is_right(memory, machine, monkeypatch):
    run = local_path(RUN)
    write(run / "step-00000002.npz", b"2")
    (run / "metrics.jsonl").write_text("left here\n")
    machine("second")
    write(local_path(RUN) / "metrics.jsonl", b"of another\n")
    remove_file(local_path(RUN) / "step-00000002.npz")
    write(local_path(RUN) / "step-00000004.npz", b"4")
    machine("first")
    assert local_path(RUN) == run
    assert {path.name: path.read_bytes() for path in run.iterdir()} == {
        "metrics.jsonl": b"of another\n", "step-00000004.npz": b"4"
    }  # fmt: skip


def fails(error, times=10**6):
    """Return a method that raises so many times before it does nothing."""
    left = itertools.repeat(error, times)

    def method(*arguments, **options):
        for reason in left:
            raise reason

    return method


def test_a_reader_without_permission_to_write_reads(memory, monkeypatch):
    memory.pipe("/bucket/run/config.json", b"{}")
    run = local_path(RUN)
    monkeypatch.setattr(type(memory), "put_file", fails(PermissionError("denied")))
    with pytest.raises(StoreError, match="denied. Give credentials"):
        write(run / "evaluation" / "report.md", b"1")
    assert local_path(RUN) == run and (run / "evaluation" / "report.md").exists()


def test_while_a_process_trains_in_a_copy_it_is_left_alone(memory, machine):
    run = RunDirectory(RUN)
    run.open(CONFIG)
    run.log({"step": 1})
    memory.pipe("/bucket/run/config.json", b"of another machine")
    assert RunDirectory(RUN).config() == CONFIG and run.lines() == [{"step": 1}]
    run.close()
    assert (RunDirectory(RUN).path / "config.json").read_text() == "of another machine"


def test_a_folder_whose_writer_was_killed_counts_as_missing(memory, machine, caplog):
    memory.pipe({"/bucket/built/images.u8": b"half", "/bucket/built/.incomplete": b""})
    assert not local_path("memory://bucket/built").exists()
    assert "memory://bucket/built is incomplete and left out" in caplog.text
    memory.pipe({"/bucket/run/a": b"1", "/bucket/run/verifier/.incomplete": b""})
    assert [entry.name for entry in local_path(RUN).iterdir()] == ["a"]
    with atomic_folder(local_path("memory://bucket/built")) as folder:
        (folder / "index.json").write_text("{}")
    assert there(memory, "/bucket/built") == {"index.json": b"{}"}
    with pytest.raises(FileExistsError), atomic_folder(local_path("memory://bucket/built")):
        pytest.fail("the work must not begin")


class Follower(Cluster):
    """The second of two workers; the first, on a machine of its own, has done its part when it is waited for."""

    def __init__(self, chief_does, machine):
        self.alone, self.is_chief, self._does, self._machine = False, False, chief_does, machine

    def gather(self, text):
        if len(text) == 32:
            used = dict(working._copies)
            self._machine("first")
            self._does("0" * 32)
            self._machine("second")
            working._copies.update(used)
        return ["0" * 32 if len(text) == 32 else "", text]


def test_workers_on_several_machines_see_the_run_of_the_chief(memory, machine):
    follower = Follower(lambda token: write(local_path(RUN) / "shared", token.encode()), machine)
    machine("second")
    run = local_path(RUN)
    follower.check_shared(run)
    assert (run / "shared").exists()
    (run / "mine").write_text("what only a chief may write")
    refresh(run, strict=True)
    assert not (run / "mine").exists() and there(memory) == {"run/shared": b"0" * 32}
