"""Timing beside peers and the memory floor, with the accuracy of each."""

from symcalc.bench.inputs import Case
from symcalc.bench.peers import PEERS, Peer
from symcalc.bench.run import benchmark, progress_bar
from symcalc.bench.table import Benchmark, Row

__all__ = ["PEERS", "Benchmark", "Case", "Peer", "Row", "benchmark", "progress_bar"]
