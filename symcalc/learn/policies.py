"""Softmax policies: probabilities and draws. Their gradients are the kernels' business."""

from __future__ import annotations

import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return the log-probability of each action, along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probability of each action, along the last axis."""
    return np.exp(log_softmax(logits))


def draw(logits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw an action a row: the largest of the logits with Gumbel noise on them."""
    return np.asarray(np.argmax(logits + rng.gumbel(size=logits.shape), axis=-1))
