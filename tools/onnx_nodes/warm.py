"""Imported by the server that children fork from: every test loaded once, for all of them."""

import onnxruntime  # noqa: F401 - some children need it for a moment

from tools.onnx_nodes.check import warm

warm()
