"""The second way in for PyTorch: exported programs, read from their JSON without torch.

``archive`` opens the file, ``schema`` reads the JSON with checks, ``symbols`` gives symbolic extents numbers, ``program``
replays the graph into a `Trace`, the same record that a live capture writes. Nothing in the file is executed.
"""
