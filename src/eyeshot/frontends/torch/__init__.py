"""The PyTorch frontend: capture a model as a Trace, then lower the Trace to a Graph.

Nothing is imported here, so that ``trace`` and the lowerings can be used without torch.
"""
