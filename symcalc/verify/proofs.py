"""Proofs that a mutant is no mistake."""

from __future__ import annotations


def proof_of(before, after, planted, derivation, product):
    return None
