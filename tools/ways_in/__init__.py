"""One network, many ways in: the live model and every file or framework it can come from have to give one answer.

A way is a module here with ``NETWORKS`` (name: variants) and ``both(network, variant)``, which gives two reports of one
network: by a way that is tested already, and by this one. `comparing` says what differs, ``python -m tools.ways_in``
runs the campaign.
"""
