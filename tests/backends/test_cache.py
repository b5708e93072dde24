"""Kernels on disk outlive a process, survive damage, and stand in nobody's way.

A compiled kernel is one file, `<function>.<hash>.kernel`: a checksum, then what was pickled.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import COMPILED, LOADED, RIGHT, files, finish, kernel, run, start

from symcalc.backends import cache
from symcalc.backends.numba_cache import load_module

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the superuser's rights are Linux's")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A cache that one process has left behind."""
    folder = tmp_path_factory.mktemp("original") / "deep" / "down"
    assert kernel(folder) == COMPILED
    return folder


@pytest.fixture
def filled(original, tmp_path):
    """A copy of it to do harm to."""
    return shutil.copytree(original, tmp_path / "cache")


def compiled_file(folder):
    (path,) = folder.rglob("*.kernel")
    return path


def source_file(folder):
    (path,) = folder.rglob("*.py")
    return path


class Bomb:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def test_a_second_process_compiles_nothing_and_writes_nothing(filled):
    before = files(filled)
    assert kernel(filled) == LOADED
    after = files(filled)
    assert {name: content for name, (content, _) in after.items()} == {
        name: content for name, (content, _) in before.items()
    }
    assert sorted(Path(name).suffix for name in after) == [".kernel", ".py"]


def cut(content):
    return content[: len(content) // 2]


DAMAGE = {
    "empty": lambda content: b"",
    "cut": cut,
    "cut in the checksum": lambda content: content[:20],
    "one bit": lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
    "longer": lambda content: content + b"\0",
    "zeros": lambda content: b"\0" * len(content),
    "random": lambda content: hashlib.shake_256(b"seed").digest(len(content)),
    "no checksum": lambda content: content[32:],
    "text": lambda content: b"import os\n" * 100,
}
QUICK = ("cut", "one bit")


@pytest.mark.parametrize(
    "damage",
    [pytest.param(f, id=n, marks=() if n in QUICK else pytest.mark.slow)
     for n, f in DAMAGE.items()],
)  # fmt: skip
def test_a_damaged_kernel_is_compiled_anew(filled, damage):
    path = compiled_file(filled)
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert kernel(filled) == COMPILED
    assert len(path.read_bytes()) == pytest.approx(len(whole), rel=0.1)
    assert kernel(filled) == LOADED


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_does_not_bear_its_checksum_is_not_even_read(monkeypatch, tmp_path, damage):
    monkeypatch.setenv("SYMCALC_CACHE_DIR", str(tmp_path))
    cache.keep("made_0", "f.0.kernel", "key", b"content " * 100)
    assert cache.read("made_0", "f.0.kernel", "key") == b"content " * 100
    path = tmp_path / "made_0" / "f.0.kernel"
    path.write_bytes(damage(path.read_bytes()))
    assert cache.read("made_0", "f.0.kernel", "key") is None


def test_the_content_of_another_key_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("SYMCALC_CACHE_DIR", str(tmp_path))
    cache.keep("made_0", "f.0.kernel", "key", b"content")
    assert cache.read("made_0", "f.0.kernel", "another key") is None


@pytest.mark.parametrize("with_checksum", [False, True], ids=["bare", "checksum of its own"])
def test_a_pickle_that_runs_code_is_never_unpickled(filled, tmp_path, with_checksum):
    mark = tmp_path / "mark"
    bomb = pickle.dumps(Bomb(mark))
    seal = hashlib.sha256(bomb).digest() if with_checksum else b""
    compiled_file(filled).write_bytes(seal + bomb)
    assert kernel(filled) == COMPILED
    assert not mark.exists()
    pickle.loads(bomb)
    assert mark.exists()


def test_the_file_of_another_kernel_is_refused(filled):
    path = compiled_file(filled)
    run("import symcalc as sc; sc.compile('l1')", filled)
    (other,) = (p for p in filled.rglob("*.kernel") if p != path)
    path.write_bytes(other.read_bytes())
    assert kernel(filled) == COMPILED


@pytest.mark.parametrize(
    "text",
    [pytest.param("", marks=pytest.mark.slow), "raise SystemExit(3)\n"],
    ids=["empty", "exits"],
)
def test_a_damaged_source_is_written_anew_and_never_run(filled, text):
    path = source_file(filled)
    whole = path.read_text()
    path.write_text(text)
    assert kernel(filled) == LOADED
    assert path.read_text() == whole


def test_a_module_is_made_of_the_text_at_hand(monkeypatch, tmp_path):
    monkeypatch.setenv("SYMCALC_CACHE_DIR", str(tmp_path))
    source = "answer = 42\n"
    assert load_module("probe one", source).answer == 42
    path = source_file(tmp_path)
    path.write_text("answer = 41\n")
    (name,) = (m for m in sys.modules if m.startswith("symcalc_kernel_probe_one_"))
    monkeypatch.delitem(sys.modules, name)
    assert load_module("probe one", source).answer == 42
    assert path.read_text() == source


def test_a_module_that_fails_is_not_half_there(monkeypatch, tmp_path):
    monkeypatch.setenv("SYMCALC_CACHE_DIR", str(tmp_path))
    with pytest.raises(ZeroDivisionError):
        load_module("probe_two", "1 / 0\n")
    assert not [name for name in sys.modules if name.startswith("symcalc_kernel_probe_two")]


CHANGES = {
    "Numba": {"before": "numba.__version__ = '99.0'"},
    "NumPy": {"before": "numpy.__version__ = '99.0'"},
    "llvmlite": {"before": "import llvmlite; llvmlite.__version__ = '99.0'"},
    "Python": {"before": "import platform; platform.python_version = lambda: '3.99.0'"},
    "processor": {"env": {"NUMBA_CPU_NAME": "x86-64-v2", "NUMBA_CPU_FEATURES": "+sse4.2"}},
    "processor features": {"env": {"NUMBA_CPU_FEATURES": "+sse4.2"}},
    "optimization": {"env": {"NUMBA_OPT": "1"}},
}


@pytest.mark.parametrize(
    "change",
    [pytest.param(c, id=n, marks=() if n in ("Numba", "processor") else pytest.mark.slow)
     for n, c in CHANGES.items()],
)  # fmt: skip
def test_what_was_compiled_under_other_circumstances_is_left_alone(filled, change):
    before = files(filled)
    assert kernel(filled, **change) == COMPILED
    after = files(filled)
    assert {name: after[name] for name in before} == before
    assert len([name for name in after if name.endswith(".kernel")]) == 2
    assert kernel(filled, **change) == LOADED


def test_two_versions_of_symcalc_share_a_folder(filled, tmp_path):
    package = Path(cache.__file__).parents[1]
    other = shutil.copytree(
        package, tmp_path / "other" / "symcalc", ignore=shutil.ignore_patterns("__pycache__")
    )
    vector = other / "backends" / "vector_math" / "exponential.py"
    vector.write_text(vector.read_text() + "\n# another version\n")
    says = "import symcalc; print(symcalc.__file__)"
    elsewhere = {"cwd": tmp_path / "other"}
    assert run(says, filled, **elsewhere) == str(other / "__init__.py")
    code = "import symcalc as sc; sc.compile('bce_with_logits').prepare()"
    run(code, filled)
    before = files(filled)
    run(code, filled, **elsewhere)
    after = files(filled)
    assert {name: after[name][0] for name in before} == {n: c for n, (c, _) in before.items()}
    assert len(after) == len(before) + 2


def test_a_lock_file_left_behind_locks_nobody_out(filled):
    (path,) = filled.rglob("lock")
    path.write_text("held by 4711\n")
    compiled_file(filled).unlink()
    assert kernel(filled) == COMPILED


def test_a_lock_that_is_never_given_back_is_waited_for_in_vain_and_passed(monkeypatch, tmp_path):
    monkeypatch.setenv("SYMCALC_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "PATIENCE", 0.05)
    with cache.locked("made_0"), cache.locked("made_0"):
        assert (tmp_path / "made_0" / "lock").exists()


def test_a_platform_without_such_locks_does_without(monkeypatch, tmp_path):
    monkeypatch.setenv("SYMCALC_CACHE_DIR", str(tmp_path))
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with cache.locked("made_0"):
        cache.keep("made_0", "f.0.kernel", "key", b"content")
    assert not (tmp_path / "made_0" / "lock").exists()
    assert cache.read("made_0", "f.0.kernel", "key") == b"content"


def race(count, folder):
    code = "import symcalc as sc; print(sc.compile('l2').value_and_grad([3.0, 4.0])[0])"
    racers = [start(code, folder) for _ in range(count)]
    assert [finish(racer) for racer in racers] == ["12.5"] * count
    assert kernel(folder) == LOADED
    assert not list(folder.rglob("*.tmp"))


def test_two_processes_race_for_an_empty_cache(tmp_path):
    race(2, tmp_path / "cache")


@pytest.mark.slow
def test_eight_processes_race_for_an_empty_cache(tmp_path):
    race(8, tmp_path / "cache")


@pytest.mark.slow
def test_a_cache_is_cleared_while_others_compile(tmp_path):
    code = (
        "import symcalc as sc\n"
        "for name in ('mse', 'mae', 'l1', 'l2'): sc.compile(name).prepare('value')\n"
        "print(sc.compile('l2').value_and_grad([3.0, 4.0])[0])"
    )
    racers = [start(code, tmp_path) for _ in range(2)]
    while any(racer.poll() is None for racer in racers):
        cache.clear(tmp_path)
        time.sleep(0.001)
    assert [finish(racer) for racer in racers] == ["12.5"] * 2
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_folder_cleared_between_two_writes_is_made_again(monkeypatch, tmp_path):
    monkeypatch.setenv("SYMCALC_CACHE_DIR", str(tmp_path / "cache"))
    replace, cleared = os.replace, []

    def clear_first(*arguments):
        if not cleared:
            cleared.append(shutil.rmtree(tmp_path / "cache"))
        replace(*arguments)

    monkeypatch.setattr(os, "replace", clear_first)
    cache.keep("made_0", "f.0.kernel", "key", b"content")
    assert cache.read("made_0", "f.0.kernel", "key") == b"content"


@pytest.fixture
def elsewhere(tmp_path):
    """A temporary folder of the test's own, for what falls back on it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return {"TMPDIR": str(folder)}


def fallback(elsewhere):
    return Path(elsewhere["TMPDIR"]) / f"symcalc-{os.getuid()}"


@pytest.fixture
def read_only():
    """Make folders that nobody may write to; give them back at the end."""
    closed = []

    def close(folder):
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o555)
                closed.append(path)
        return folder

    yield close
    for path in closed:
        path.chmod(0o755)


def says_once(found, *words):
    assert {key: found[key] for key in RIGHT} == RIGHT
    (said,) = found["said"]
    assert "cannot be written to" in said
    assert "SYMCALC_CACHE_DIR" in said
    for word in words:
        assert word in said


@LINUX
def test_a_read_only_folder_falls_back_and_says_so_once(tmp_path, elsewhere, read_only):
    folder = tmp_path / "cache"
    folder.mkdir()
    read_only(folder)
    more = "sc.compile('l2', dtype='float32')"
    found = kernel(folder, after=more, env=elsewhere)
    says_once(found, str(folder), str(fallback(elsewhere)), "Permission denied")
    assert found["compiled"] == 2
    assert list(folder.iterdir()) == []
    assert kernel(folder, after=more, env=elsewhere)["compiled"] == 0
    assert fallback(elsewhere).stat().st_mode & 0o777 == 0o700


@LINUX
def test_a_read_only_folder_of_good_kernels_is_used_as_it_is(filled, elsewhere, read_only):
    read_only(filled)
    before = files(filled)
    assert kernel(filled, env=elsewhere) == LOADED
    assert {name: content for name, (content, _) in files(filled).items()} == {
        name: content for name, (content, _) in before.items()
    }
    assert list(Path(elsewhere["TMPDIR"]).iterdir()) == []


@LINUX
@pytest.mark.slow
def test_damage_in_a_read_only_folder_is_made_good_elsewhere(filled, elsewhere, read_only):
    path = compiled_file(filled)
    path.write_bytes(cut(path.read_bytes()))
    read_only(filled)
    found = kernel(filled, env=elsewhere)
    says_once(found)
    assert found["compiled"] == 1
    assert kernel(filled, env=elsewhere)["compiled"] == 0


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["link", "open to all", "file"])
def test_a_fallback_that_another_could_write_to_is_not_used(tmp_path, elsewhere, read_only, kind):
    wanted = tmp_path / "cache"
    wanted.mkdir()
    read_only(wanted)
    trap = tmp_path / "trap"
    trap.mkdir()
    if kind == "link":
        fallback(elsewhere).symlink_to(trap)
    elif kind == "file":
        fallback(elsewhere).write_text("")
    else:
        fallback(elsewhere).mkdir()
        fallback(elsewhere).chmod(0o777)
    says_once(kernel(wanted, env=elsewhere), "are not kept")
    assert list(trap.iterdir()) == []
    assert kind == "file" or list(fallback(elsewhere).iterdir()) == []


def test_a_folder_that_is_a_file_is_replaced(tmp_path, elsewhere):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    says_once(kernel(blocked, env=elsewhere), str(blocked))
    assert blocked.read_text() == "no folder"


@pytest.mark.slow
def test_a_kernels_folder_that_is_a_file_costs_the_keeping_alone(filled):
    folder = compiled_file(filled).parent
    shutil.rmtree(folder)
    folder.write_text("mine")
    found = kernel(filled)
    says_once(found, "are not kept")
    assert folder.read_text() == "mine"


NO_SPACE = """
import errno, pathlib
whole = pathlib.Path.open
class Full:
    def __init__(self, file): self.file = file
    def __enter__(self): return self
    def __exit__(self, *args): self.file.close()
    def write(self, data):
        self.file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")
def opened(path, mode="r", *args, **kw):
    file = whole(path, mode, *args, **kw)
    return Full(file) if "x" in mode else file
pathlib.Path.open = opened
"""


def test_a_full_disk_costs_the_keeping_alone(tmp_path):
    found = kernel(tmp_path / "cache", before=NO_SPACE)
    says_once(found, "No space left on device", "are not kept")
    assert files(tmp_path / "cache") == {}


@LINUX
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_a_disk_that_is_really_full(monkeypatch, tmp_path):
    monkeypatch.setenv("SYMCALC_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "_SAID", set())
    opened = Path.open
    monkeypatch.setattr(
        Path, "open", lambda p, mode="r", *a, **k: opened(Path("/dev/full"), "wb")
        if mode == "xb" else opened(p, mode, *a, **k),
    )  # fmt: skip
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        cache.keep("made_0", "f.0.kernel", "key", b"content" * 10_000)
    assert cache.read("made_0", "f.0.kernel", "key") is None


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_blank_folder_is_the_platforms(monkeypatch, tmp_path, blank):
    monkeypatch.setenv("SYMCALC_CACHE_DIR", blank)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "linux")
    assert cache.wanted_directory() == tmp_path / "symcalc"


def test_a_folder_in_words(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SYMCALC_CACHE_DIR", "~/some where")
    assert cache.wanted_directory() == tmp_path / "home" / "some where"
    monkeypatch.setenv("SYMCALC_CACHE_DIR", "~nobody of this name/x")
    assert cache.wanted_directory() == Path.cwd() / "~nobody of this name" / "x"


def test_a_relative_folder_is_where_the_process_stood_first(tmp_path):
    code = (
        "import os, symcalc as sc\n"
        "sc.compile('l2'); os.chdir('/'); sc.compile('l1')\n"
        "from symcalc.backends import cache; print(cache.wanted_directory())"
    )
    assert run(code, "a/b c", cwd=tmp_path) == str(tmp_path / "a" / "b c")
    assert len(cache.stored(tmp_path / "a" / "b c")) == 2


@LINUX
@pytest.mark.parametrize("home", [pytest.param("read-only", marks=pytest.mark.slow), "/dev/null"])
def test_a_home_that_cannot_be_written_to_falls_back(tmp_path, elsewhere, read_only, home):
    if home == "read-only":
        (tmp_path / home).mkdir()
        home = str(read_only(tmp_path / home))
    found = kernel(None, env={**elsewhere, "HOME": home, "XDG_CACHE_HOME": ""})
    says_once(found, home)
    assert cache.stored(fallback(elsewhere))


@pytest.mark.slow
def test_numbas_own_settings_of_a_cache_are_nothing_to_us(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    theirs = {"NUMBA_CACHE_DIR": str(blocked)}
    assert kernel(tmp_path / "cache", env=theirs) == COMPILED
    assert kernel(tmp_path / "cache", env=theirs) == LOADED


def put(folder, name, size=100, days=0.0):
    """Put a kernel in a folder that was last used so many days ago."""
    place = folder / name
    place.mkdir(parents=True)
    path = place / "f.0123456789abcdef.kernel"
    path.write_bytes(b"x" * size)
    (place / "lock").touch()
    used = path.stat().st_mtime - days * 24 * 3600
    for file in place.iterdir():
        os.utime(file, (used, used))
    return place


def test_kernels_long_unused_are_dropped_once_there_are_many(monkeypatch, tmp_path):
    monkeypatch.setenv("SYMCALC_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(cache, "MOST_KERNELS", 3)
    put(tmp_path, "old_0", days=cache.UNUSED_DAYS + 1)
    put(tmp_path, "recent_0", days=cache.UNUSED_DAYS - 1)
    cache.keep("new_0", "f.0123456789abcdef.kernel", "key", b"content")
    assert {p.name for p in tmp_path.iterdir()} == {"old_0", "recent_0", "new_0"}
    cache.keep("new_1", "f.0123456789abcdef.kernel", "key", b"content")
    assert {p.name for p in tmp_path.iterdir()} == {"recent_0", "new_0", "new_1"}


def test_a_kernel_that_is_loaded_counts_as_used(filled):
    path = compiled_file(filled)
    os.utime(path, (0, 0))
    assert kernel(filled) == LOADED
    assert path.stat().st_mtime > 1e9


def test_clearing_touches_nothing_that_is_not_ours(tmp_path):
    put(tmp_path, "mine_0")
    theirs = put(tmp_path, "shared_0") / "diary.txt"
    theirs.write_text("dear diary")
    (tmp_path / "photos_2023").mkdir()
    (tmp_path / "photos_2023" / "lock").write_text("")
    (tmp_path / "symcalc_kernel_notes.py").write_text("")
    away = put(tmp_path.parent / f"{tmp_path.name}-away", "away_0")
    (tmp_path / "away_0").symlink_to(away)
    assert sorted(k.folder.name for k in cache.stored(tmp_path)) == ["mine_0", "shared_0"]
    assert cache.clear(tmp_path) == 2
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*"))
    assert left == ["away_0", "photos_2023", "photos_2023/lock", "shared_0", "shared_0/diary.txt",
                    "symcalc_kernel_notes.py"]  # fmt: skip
    assert len(list(away.iterdir())) == 2


def command(folder, *words):
    from processes import obey_permissions

    return subprocess.run(
        [sys.executable, "-m", "symcalc", "cache", *words], capture_output=True, text=True,
        timeout=60, env={**os.environ, "SYMCALC_CACHE_DIR": str(folder)},
        preexec_fn=obey_permissions if sys.platform == "linux" else None,
    )  # fmt: skip


@LINUX
def test_the_command_says_what_it_could_not_remove(tmp_path, read_only):
    put(tmp_path, "kept_0")
    read_only(tmp_path)
    info = command(tmp_path, "info")
    assert (info.returncode, info.stdout) == (
        0, f"{tmp_path}: 1 kernels, 0.0 MB; it cannot be written to\n",
    )  # fmt: skip
    cleared = command(tmp_path, "clear")
    assert cleared.returncode == 2
    assert "Permission denied" in cleared.stderr
    assert len(cache.stored(tmp_path)) == 1


def test_the_command_makes_no_folder(tmp_path):
    missing = tmp_path / "missing"
    info = command(missing, "info")
    assert info.stdout == f"{missing}: 0 kernels, 0.0 MB; it is not there yet\n"
    assert command(missing, "clear").stdout == "removed 0 kernels\n"
    assert not missing.exists()


@pytest.mark.parametrize("words", ["info", "clear"])
def test_a_file_in_the_place_of_the_folder_is_no_cache(tmp_path, words):
    path = tmp_path / "file"
    path.write_text("mine")
    assert cache.stored(path) == []
    assert cache.clear(path) == 0
    assert cache.state(path) == "; it is no folder"
    assert path.read_text() == "mine"
