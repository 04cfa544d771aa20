"""Linear maps that stand for ops: one rule for each kind of op, by the op's ATen name.

A rule is called after the op ran, with the `Call`; it returns how the twins of the outputs follow from those of the
operands. Ops that move elements are their own linear maps; all others are replaced by positive means, so that nothing
cancels.
"""

from eyeshot.proof.rules import layout, norms, pointwise, pools, products, resizing, summaries
from eyeshot.proof.rules.call import Call, rule_of

__all__ = ["Call", "layout", "norms", "pointwise", "pools", "products", "resizing", "rule_of", "summaries"]
