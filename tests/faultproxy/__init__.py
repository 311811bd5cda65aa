"""A TLS proxy on loopback that stands between the operator and the API server and does to the traffic what networks,
load balancers and overloaded servers do: see rules.py for what, and proxy.py for how."""

from .proxy import FaultProxy
from .rules import Blackhole, Cut, Delay, Hold, Inject, Prefix, Rechunk, Reset, Rule

__all__ = ["Blackhole", "Cut", "Delay", "FaultProxy", "Hold", "Inject", "Prefix", "Rechunk", "Reset", "Rule"]
