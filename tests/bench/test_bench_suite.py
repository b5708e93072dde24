"""The suite end to end at a tiny size, with peers that die and hang; first calls; the JSON."""

import dataclasses

import numpy as np
import pytest

from symcalc.bench import suite
from symcalc.bench.crew import Crew
from symcalc.bench.first_call import TIMED, FirstCall, first_call
from symcalc.bench.inputs import Case, draw
from symcalc.bench.peers import BOUND, FRESH, OURS, PEERS, NotOfferedError, Peer
from symcalc.bench.peers import floor as memory_floor
from symcalc.bench.process import HungError, WorkerProcess
from symcalc.bench.results import Results
from symcalc.bench.suite import FULL, HUNDRED, LARGE, THOUSAND, Group, Suite, quick
from symcalc.bench.sweep import sweep
from symcalc.catalogue import get

NUMPY = PEERS[0]
BAD_PEERS = {
    "dies": "import os\ndef runner(*_): os.kill(os.getpid(), 9)",
    "hangs": (
        "import itertools, time\nfrom symcalc.bench.peers import Runner\n"
        "def runner(*_):\n"
        "    calls = itertools.count()\n"
        "    return Runner(lambda: time.sleep(100 if next(calls) > 1 else 0))"
    ),
}


@pytest.fixture
def bad_peers(tmp_path, monkeypatch):
    for name, text in BAD_PEERS.items():
        (tmp_path / f"suite_peer_that_{name}.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return {name: Peer(name, f"suite_peer_that_{name}", "numpy") for name in BAD_PEERS}


@pytest.fixture
def impatient(monkeypatch):
    """Have little patience with the peer that hangs, and as much as ever with all others."""
    send, receive = WorkerProcess.send, WorkerProcess.receive
    hangs: set[WorkerProcess] = set()

    def note(self, request):
        if request.get("module", "").endswith("hangs"):
            hangs.add(self)
        self.asked = request["do"]
        send(self, request)

    def hurry(self, timeout):
        return receive(self, 0.3 if self in hangs and self.asked == "calibrate" else timeout)

    monkeypatch.setattr(WorkerProcess, "send", note)
    monkeypatch.setattr(WorkerProcess, "receive", hurry)


def tiny(peers, sizes=(20, 30, 40), first_calls=()):
    cases = tuple(Case("mse", (("n", size),)) for size in sizes)
    group = Group(LARGE.name, cases, (OURS,), rounds=2, batch=0.001)
    return Suite("full", (group,), first_calls, tuple(peers))


def test_a_tiny_suite_with_peers_that_die_and_hang(bad_peers, impatient):
    told = []
    result = sweep(
        tiny([NUMPY, bad_peers["dies"], bad_peers["hangs"]]),
        threads=1, progress=lambda *step: told.append(step),
    )  # fmt: skip
    assert [one.case.extents for one in result.benchmarks] == [(("n", n),) for n in (20, 30, 40)]
    for one in result.benchmarks:
        for name in (OURS.name, "numpy", "memory floor"):
            assert len(one.row(name).times) == 2
        assert one.row("dies").note == "failed: it died of SIGKILL"
        assert one.best_peer.name == "numpy"
    said = [one.row("hangs").note for one in result.benchmarks]
    given_up = "failed: not asked again after it let time run out"
    assert said == ["failed: no answer within 0.3 s"] * 2 + [given_up]
    assert {total for _, _, total in told} == {told[-1][2]}
    done = [step[1] for step in told]
    assert done == sorted(done)
    assert done[-1] == told[-1][2]
    assert told[0][0] == "mse, n = 20, float64: preparing symcalc"
    assert Results.from_json(result.to_json()) == result


def test_a_worker_stays_and_a_dead_one_is_replaced():
    with Crew(1) as crew:
        first = crew.worker("one")
        assert crew.worker("one") is first
        assert crew.worker("two") is not first
        crew.end("one")
        assert first.status is not None
        assert crew.worker("one") is not first


def test_a_worker_that_died_between_cases_is_replaced():
    with Crew(1) as crew:
        first = crew.hire("one")
        assert crew.hire("one") is first
        first._process.kill()
        first._process.wait()
        second = crew.hire("one")
        assert second is not first
        assert second.status is None


def test_patience_ends_with_the_second_time_out():
    crew, peer = Crew(1), Peer("slow", "nowhere", "numpy")
    for expected in (False, True):
        crew.end("slow", HungError("no answer"))
        assert crew.is_given_up(peer) is expected
    assert not crew.is_given_up(NUMPY)


def test_the_suite_is_what_was_asked_for():
    names = (
        "mse huber log_cosh bce_with_logits softmax_cross_entropy layer_norm batch_norm ppo_clip"
    )
    assert [case.name for case in LARGE.cases] == [n for n in names.split() for _ in range(2)]
    for case in LARGE.cases:
        extents = [extent for _, extent in case.extents]
        assert extents == ([10_000_000] if len(extents) == 1 else [8192, 1024])
    for group, size in ((THOUSAND, 1000), (HUNDRED, 100)):
        assert BOUND in group.ours
        assert OURS in group.ours
        assert {c.name for c in group.cases} >= set(names.split()[:4])
        assert {int(np.prod([e for _, e in case.extents])) for case in group.cases} == {size}
    for group in FULL.groups:
        assert [case.dtype for case in group.cases] == ["float64", "float32"] * (
            len(group.cases) // 2
        )
        assert [p.name for p in group.entrants(FULL.peers)][-1] == "memory floor"
    titles = [case.title for group in FULL.groups for case in group.cases]
    assert len(set(titles)) == len(titles)


def test_quick_is_the_suite_in_small():
    small = quick()
    assert small.name == "quick"
    assert [group.name for group in small.groups] == [group.name for group in FULL.groups]
    for group, whole in zip(small.groups, FULL.groups, strict=True):
        assert [c.name for c in group.cases] == [c.name for c in whole.cases[::2]]
        assert max(np.prod([e for _, e in c.extents]) for c in group.cases) <= 100_000


def test_first_calls_of_ours():
    case = Case("layer_norm", (("n", 4), ("d", 3)))
    found = first_call(case, OURS, 1, 300)
    assert not found.note
    assert 0 < found.warm < found.cached
    assert found.warm < found.cold
    assert FirstCall.from_dict(found.to_dict()) == found


def test_first_calls_of_peers_and_what_goes_wrong(bad_peers, tmp_path):
    case = Case("mse", (("n", 4),))
    found = first_call(case, NUMPY, 1, 300)
    assert found.cold > 0
    assert found.warm > 0
    assert found.cached is None
    assert first_call(case, bad_peers["dies"], 1, 300).note == "failed: it died of SIGKILL"
    missing = Peer("missing", "nowhere", "a_package_that_is_not_there")
    assert first_call(case, missing, 1, 300).note == "a_package_that_is_not_there is not installed"
    unknown = dataclasses.replace(case, name="mse", dtype="float16")
    assert first_call(unknown, OURS, 1, 300).note.startswith("failed: ")


def test_what_first_calls_are_timed_of():
    assert [peer.name for peer in TIMED] == ["symcalc", "torch", "torch.compile", "jax"]
    assert {case.name for case in suite.FIRST_CALLS} <= {case.name for case in LARGE.cases}


@pytest.mark.parametrize(("moved", "ways"), [(100, 1), (1_000_000, 2), (4_000_000, 1)])
def test_the_floor_tries_both_ways_where_either_may_be_faster(moved, ways):
    arrays = np.ones(5), np.full(5, 2.0), np.zeros(5)
    found = memory_floor._ways(moved, arrays)
    assert len(found) == ways
    for way in found:
        arrays[2][:] = 0
        way()
        np.testing.assert_array_equal(arrays[2], 3.0)


def problem_of(name, extents):
    return draw(get(name), Case(name, extents))


@pytest.mark.parametrize("variant", [FRESH.variant, BOUND.variant])
@pytest.mark.parametrize("name", ["huber", "layer_norm", "softmax_cross_entropy"])
def test_every_call_of_ours_agrees_with_numpy(name, variant):
    from symcalc.bench.peers import numpy_peer, symcalc_peer

    dims = [dim.name for dim in get(name).dims]
    problem = problem_of(name, tuple(zip(dims, (5, 3), strict=False)))
    runner = symcalc_peer.runner(problem, variant, 1)
    expected = numpy_peer.runner(problem, "", 1)
    (value, grads), (truth, slopes) = (r.read(r.call()) for r in (runner, expected))
    for found, known in zip((value, *grads), (truth, *slopes), strict=True):
        np.testing.assert_allclose(found, known, rtol=1e-12, atol=1e-13)


def test_an_unknown_call_of_ours_is_none():
    from symcalc.bench.peers import symcalc_peer

    with pytest.raises(NotOfferedError, match="symcalc peer has no stale"):
        symcalc_peer.runner(problem_of("huber", (("n", 3),)), "stale", 1)


def test_fresh_arrays_are_fresh():
    from symcalc.bench.peers import symcalc_peer

    runner = symcalc_peer.runner(problem_of("huber", (("n", 3),)), FRESH.variant, 1)
    (first,), (second,) = (runner.read(runner.call())[1] for _ in range(2))
    assert first is not second
    np.testing.assert_array_equal(first, second)


def test_lambdify_says_what_it_cannot():
    from symcalc.bench.peers import lambdify_peer

    with pytest.raises(NotOfferedError, match="33 symbols has 33 derivatives"):
        lambdify_peer.runner(problem_of("softmax_cross_entropy", (("n", 2), ("c", 33))), "", 1)
    with pytest.raises(NotOfferedError, match="mean over a symbolic index"):
        lambdify_peer.runner(problem_of("layer_norm", (("n", 2), ("d", 3))), "", 1)
