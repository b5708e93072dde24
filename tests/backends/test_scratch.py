"""Scratch memory: kept from call to call, and no more of it than the largest call needs."""

import gc
import tracemalloc

import numpy as np

import symcalc as sc

FIT = "mean(i, sum(k, (sum(j, X[i,j]*W[j,k]) - T[i,k])**2))"
SHAPES = {"X": "n d", "W": "d c", "T": "n c"}


def test_many_sizes_keep_the_scratch_of_one():
    kernel = sc.compile(sc.parse(FIT, wrt="W", shapes=SHAPES))
    weights = np.ones((2, 300))
    residual = 8 * 3000 * 300  # the bytes of X W - T, which the kernel keeps meanwhile

    def call(rows):
        found = kernel.value_and_grad(X=np.ones((rows, 2)), W=weights, T=np.zeros((rows, 300)))[0]
        assert found == 1200  # 300 columns of (1 + 1)**2

    call(3000)
    tracemalloc.start()
    try:
        for rows in range(2990, 3010):
            call(rows)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 5 * residual  # one for each of twenty sizes would be twenty
