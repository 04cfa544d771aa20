"""Recurrent layers."""

from __future__ import annotations

from torch import nn

from tests.frontends.torch.case import Case

X = ((3, 2, 2),)


def with_states(layer):
    return lambda x, h, c: layer(x, (h, c))


CASES = [
    Case("lstm", nn.LSTM(2, 2), X, oracles=("gradient",)),
    Case("lstm batch first", nn.LSTM(2, 2, batch_first=True, num_layers=2), X, oracles=("gradient",)),
    Case("lstm bidirectional", nn.LSTM(2, 2, bidirectional=True), X, oracles=("gradient",)),
    Case("lstm unbatched", nn.LSTM(2, 2), ((3, 2),), oracles=("gradient",)),
    Case(
        "lstm states",
        with_states(nn.LSTM(2, 3).double()),
        ((2, 2, 2), (1, 2, 3), (1, 2, 3)),
        oracles=("gradient",),
    ),
    Case("lstm projected", nn.LSTM(2, 3, proj_size=2), X, oracles=("gradient",)),
    Case(
        "lstm projected, bidirectional",
        nn.LSTM(2, 3, 2, proj_size=1, bidirectional=True),
        X,
        oracles=("gradient",),
    ),
    Case("gru", nn.GRU(2, 2, num_layers=2, bidirectional=True), X, oracles=("gradient",)),
    Case("rnn", nn.RNN(2, 2), X, oracles=("gradient",)),
    Case("lstm cell", nn.LSTMCell(2, 2), ((2, 2),), oracles=("gradient",)),
    Case("gru cell", nn.GRUCell(2, 2), ((2, 2),), oracles=("gradient",)),
]
