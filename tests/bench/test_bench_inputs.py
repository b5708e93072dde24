import numpy as np
import pytest
from shapes import extents

from symcalc.bench.inputs import Case, bytes_moved, draw, make_case
from symcalc.catalogue import catalogue, get
from symcalc.notation.errors import ArgumentError, ArgumentTypeError


@pytest.mark.parametrize("name", catalogue())
def test_arrays_lie_in_their_domains(name):
    objective = get(name)
    sizes = extents(objective, 50, 5)
    shape = tuple(sizes.values())
    problem = draw(objective, make_case(objective, shape=shape, dtype="float32"))
    for tensor in objective.inputs:
        array = problem.arrays[tensor.name]
        assert array.dtype == (np.int64 if tensor.domain.integer else np.float32)
        assert array.min() >= tensor.domain.lower
        assert array.max() <= tensor.domain.upper
        if tensor.domain.values:
            assert set(array.ravel().tolist()) == set(tensor.domain.values)
        if tensor.domain.below is not None:
            assert set(array.tolist()) <= set(range(sizes[tensor.domain.below.name]))
        if tensor.domain.rows_sum_to_one:
            np.testing.assert_allclose(array.sum(axis=-1), 1, rtol=1e-6)
    assert (problem.cotangent is None) == objective.is_scalar


def test_same_case_same_arrays_other_seed_other_arrays():
    objective = get("huber")
    first, again = (draw(objective, make_case(objective, size=20)) for _ in range(2))
    other = draw(objective, make_case(objective, size=20, seed=1))
    np.testing.assert_array_equal(first.arrays["target"], again.arrays["target"])
    assert not np.array_equal(first.arrays["target"], other.arrays["target"])
    assert not np.array_equal(first.arrays["target"], first.arrays["prediction"])


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("mse", None, (("n", 10_000_000),)),
        ("layer_norm", None, (("n", 8192), ("d", 1024))),
        ("mse", 1000, (("n", 1000),)),
        ("softmax_cross_entropy", 1000, (("n", 31), ("c", 32))),
        ("softmax_cross_entropy", 8192 * 1024, (("n", 8192), ("c", 1024))),
        ("softmax_cross_entropy", 1, (("n", 1), ("c", 1))),
    ],
)
def test_extents(name, size, expected):
    assert make_case(get(name), size=size).extents == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bce_with_logits", 5 * 8 * 3),
        ("softmax_cross_entropy", (15 + 5 + 15) * 8),
        ("layer_norm", (15 + 3 + 3 + 15 + 15 + 15 + 3 + 3) * 8),
        ("l1", 5 * 8 * 2),
        ("dense", (15 + 12 + 4 + 20 + 20 + 15 + 12 + 4) * 8),
    ],
)
def test_bytes_that_must_move(name, expected):
    objective = get(name)
    shape = tuple(extents(objective, 5, 3).values())
    assert bytes_moved(objective, make_case(objective, shape=shape)) == expected


def test_labels_stay_eight_bytes_in_float32():
    objective = get("softmax_cross_entropy")
    case = make_case(objective, shape=(5, 3), dtype="float32")
    assert bytes_moved(objective, case) == 15 * 4 + 5 * 8 + 15 * 4


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"size": 0}, ArgumentError, "size: expected a positive whole number, got 0"),
        ({"size": 2.5}, ArgumentTypeError, "size: .* got 2.5"),
        ({"size": True}, ArgumentTypeError, "size: .* got True"),
        ({"shape": (3, 4)}, ArgumentError, r"shape: mse has dims \(n\), expected 1 extents"),
        ({"shape": (-1,)}, ArgumentError, "shape: expected a positive"),
        ({"size": 3, "shape": (3,)}, ArgumentError, "got both"),
        ({"dtype": "float16"}, ArgumentError, "dtype: expected one of float64, float32"),
    ],
)
def test_bad_cases_are_refused(given, error, said):
    with pytest.raises(error, match=said):
        make_case(get("mse"), **given)


def test_case_round_trip():
    case = make_case(get("layer_norm"), shape=(5, 3), dtype="float32", seed=4)
    assert Case.from_dict(case.to_dict()) == case
    assert case.title == "layer_norm, n = 5, d = 3, float32"
