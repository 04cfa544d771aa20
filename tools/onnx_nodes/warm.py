"""Imported by the server that children fork from: every test loaded once, for all of them."""

from tools.onnx_nodes.check import warm

warm()
