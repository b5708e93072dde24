"""What is fused with what: passes over memory, loops inside them, and where values live."""

import pytest
from entries import FIRST

import symcalc as sc
from symcalc.backends.modes import task
from symcalc.notation.dims import Index
from symcalc.notation.tensors import Access
from symcalc.program.lower import lower
from symcalc.program.program import Accumulate, Assign, Contract, Loop, Recentre, Start


def program(objective, mode=None):
    """The program of a mode, value and gradient if none is named."""
    objective = sc.get(objective) if isinstance(objective, str) else objective
    mode = mode or ("value_and_grad" if objective.is_scalar else "vjp")
    wanted = task(sc.derive(objective), mode)
    return lower(objective, wanted.name, wanted.equations, wanted.inputs, wanted.outputs)


def passes(made):
    """The dims that the passes run over, in order; a scalar part is left out."""
    return [str(stage.index.extent) for stage in made.stages if stage.index is not None]


def inner_loops(stage):
    """The dims of the loops directly inside a pass."""
    return [str(node.index.extent) for node in stage.body if isinstance(node, Loop)]


def walk(body, path=()):
    """Every statement with the loops it stands in."""
    for node in body:
        if isinstance(node, Loop):
            yield from walk(node.body, (*path, node.index))
        else:
            yield node, path


def statements(made):
    for stage in made.stages:
        yield from walk(stage.body, () if stage.index is None else (stage.index,))


ELEMENTWISE = ["mse", "mae", "huber", "log_cosh", "bce_with_logits", "hinge"]


@pytest.mark.parametrize("name", [*ELEMENTWISE, "l1", "l2", "elastic_net"])
def test_an_elementwise_loss_is_one_pass_that_fuses_value_and_gradient(name):
    made = program(name)
    assert len(passes(made)) == 1
    (stage,) = (s for s in made.stages if s.index is not None)
    assert inner_loops(stage) == []
    kinds = [type(node) for node, _ in walk(stage.body)]
    assert kinds.count(Assign) >= 1
    assert kinds.count(Accumulate) >= 1
    written = {node.target for node, _ in walk(stage.body)}
    assert made.outputs[1] in written


@pytest.mark.parametrize(
    ("name", "loops"),
    [("softmax_cross_entropy", 3), ("reinforce", 3), ("ppo_clip", 3), ("kl_divergence", 1),
     ("layer_norm", 4)],
)  # fmt: skip
def test_a_loss_on_rows_is_one_pass_over_the_rows(name, loops):
    made = program(name)
    assert passes(made) == ["n"]
    (stage,) = (s for s in made.stages if s.index is not None)
    assert 1 <= len(inner_loops(stage)) <= loops
    assert str(stage.width) in ("c", "d")


def test_batch_norm_is_two_passes_over_the_batch():
    """All sums, those around the mean too; then the output and the gradient."""
    made = program("batch_norm")
    assert passes(made).count("n") == 2
    assert all(dim in ("n", "d") for dim in passes(made))
    rows = [s for s in made.stages if s.index is not None and str(s.index.extent) == "n"]
    assert all(inner_loops(stage) == ["d"] for stage in rows)


def test_the_value_alone_is_never_more_work_than_with_the_gradient():
    for name, objective in sc.catalogue().items():
        alone = program(name, "value")
        both = program(name)
        assert len(passes(alone)) <= len(passes(both))
        assert len(alone.outputs) == 1
        assert len(both.outputs) == 1 + len(objective.wrt)


@pytest.mark.parametrize("name", [n for n, o in sc.catalogue().items() if o.is_scalar])
def test_the_gradient_alone_computes_no_value(name):
    made = program(name, "grad")
    assert sc.derive(name).value not in {node.target for node, _ in statements(made)}


def kinds(made):
    return {buffer.tensor.name: buffer.kind for buffer in made.buffers}


def test_rows_live_in_rows_and_scalars_in_scalars():
    softmax = kinds(program("softmax_cross_entropy"))
    assert softmax["L_exp"] == "row"
    assert softmax["L_total"] == softmax["L_share"] == softmax["L_top"] == "local"
    assert softmax["value"] == softmax["logits_bar"] == "output"
    layer = kinds(program("layer_norm"))
    assert layer["mu"] == layer["var"] == layer["r"] == "local"
    batch = kinds(program("batch_norm"))
    assert batch["mu"] == batch["r"] == "array"


@pytest.mark.parametrize("name", FIRST)
def test_no_temporary_is_as_large_as_an_input(name):
    made = program(name)
    largest = max(len(t.shape) for t in made.inputs)
    products = {n.target for s in made.stages for n in s.body if isinstance(n, Contract)}
    for buffer in made.buffers:
        if buffer.kind == "array" and largest > 1 and buffer.tensor not in products:
            assert len(buffer.axes) < largest


@pytest.mark.parametrize("name", sc.catalogue())
def test_the_program_is_sound(name):
    made = program(name)
    buffers = {buffer.tensor: buffer for buffer in made.buffers}
    assert all(buffers[tensor].kind == "output" for tensor in made.outputs)
    known = {*made.inputs, *(pivot.tensor for pivot in made.pivots)}
    started = set()
    for stage in made.stages:
        open_here = {t for t, _ in stage.reduced}
        for node, path in walk(stage.body, () if stage.index is None else (stage.index,)):
            if isinstance(node, Start):
                started.add(node.target)
                continue
            if isinstance(node, Accumulate):
                assert node.target in started | open_here
                assert node.index in path
            read = {a.tensor for a in node.value.atoms(Access)}
            assert read <= known, f"{node.target} reads {read - known} too early"
            assert node.target not in open_here or isinstance(node, Accumulate)
            if isinstance(node, (Contract, Recentre)):  # for all places at once
                known.add(node.target)
                continue
            loose = {s for s in node.value.free_symbols if isinstance(s, Index)}
            assert loose <= set(path), f"{node.target} uses {loose - set(path)} outside its loop"
            if node.target not in open_here:
                known.add(node.target)
        known |= open_here
    assert set(made.outputs) <= known


@pytest.mark.parametrize("name", sc.catalogue())
def test_nothing_is_computed_that_nothing_uses(name):
    made = program(name)
    read = set(made.outputs)
    for node, _ in statements(made):
        if not isinstance(node, Start):
            read |= {a.tensor for a in node.value.atoms(Access)}
    assert {node.target for node, _ in statements(made)} <= read


def test_lowering_is_the_same_every_time():
    for name in ("layer_norm", "ppo_clip"):
        first, second = program(name), program(name)
        assert [str(b.tensor) for b in first.buffers] == [str(b.tensor) for b in second.buffers]
        assert [str(n.value) for n, _ in statements(first) if not isinstance(n, Start)] == [
            str(n.value) for n, _ in statements(second) if not isinstance(n, Start)
        ]
