"""Recurrent layers, attention, masks, wrappers, spectrograms."""

from __future__ import annotations

from itertools import product

from tests.frontends.keras.backend import keras
from tests.frontends.keras.case import Case

L, ops = keras.layers, keras.ops
STEPS = ((2, 4, 3),)


def _layer(name, *args, **kwargs):
    def call(x):  # a layer is made anew for each model, in the precision of the test
        return getattr(L, name)(*args, **kwargs)(x)

    return call


RECURRENT = [
    Case(
        f"{name} sequences {sequences} backwards {backwards}",
        _layer(name, 2, return_sequences=sequences, go_backwards=backwards),
        STEPS,
    )
    for name, sequences, backwards in product(("LSTM", "GRU", "SimpleRNN"), (False, True), (False, True))
] + [
    Case("lstm states", _layer("LSTM", 2, return_state=True, return_sequences=True), STEPS),
    Case("gru plain", _layer("GRU", 2, reset_after=False, use_bias=False, return_state=True), STEPS),
    Case(
        "lstm initial states",
        lambda x, h, c: L.LSTM(2, return_sequences=True, return_state=True)(x, initial_state=[h, c]),
        ((2, 3, 3), (2, 2), (2, 2)),
    ),
    Case(
        "gru initial state",
        lambda x, h: L.GRU(2, return_sequences=True)(x, initial_state=h),
        ((2, 3, 3), (2, 2)),
    ),
    Case("rnn cell", L.RNN(L.LSTMCell(2), return_sequences=True), STEPS),
    Case(
        "rnn stacked cells",
        L.RNN([L.GRUCell(2), L.LSTMCell(3)], return_sequences=True, return_state=True),
        STEPS,
    ),
    *(
        Case(
            f"bidirectional {name} {mode} {sequences}",
            lambda x, n=name, m=mode, s=sequences: L.Bidirectional(
                getattr(L, n)(2, return_sequences=s), merge_mode=m
            )(x),
            STEPS,
        )
        for name, mode, sequences in (
            ("LSTM", "concat", True),
            ("LSTM", "sum", False),
            ("GRU", "ave", True),
            ("SimpleRNN", None, True),
            ("GRU", "mul", True),
            ("SimpleRNN", "concat", False),
        )
    ),
    Case("bidirectional states", L.Bidirectional(L.LSTM(2, return_state=True)), STEPS),
    Case(
        "bidirectional two layers",
        L.Bidirectional(
            L.LSTM(2, return_sequences=True),
            backward_layer=L.GRU(3, return_sequences=True, go_backwards=True),
        ),
        STEPS,
    ),
    Case("conv lstm1d", _layer("ConvLSTM1D", 2, 3, padding="same", return_sequences=True), ((1, 3, 5, 1),)),
    Case(
        "conv lstm1d even",
        _layer("ConvLSTM1D", 1, 2, strides=2, padding="same", return_sequences=True),
        ((1, 3, 6, 2),),
    ),
    Case(
        "conv lstm1d backwards",
        _layer("ConvLSTM1D", 1, 3, return_sequences=True, go_backwards=True, return_state=True),
        ((1, 3, 7, 1),),
    ),
    Case("conv lstm1d first", _layer("ConvLSTM1D", 2, 3, data_format="channels_first"), ((1, 3, 2, 6),)),
    Case(
        "conv lstm1d states",
        lambda x, h, c: L.ConvLSTM1D(2, 3, padding="same", return_sequences=True)(x, initial_state=[h, c]),
        ((1, 2, 5, 1), (1, 5, 2), (1, 5, 2)),
    ),
    Case("conv lstm2d", _layer("ConvLSTM2D", 1, (3, 2), padding="same"), ((1, 2, 4, 3, 1),)),
    Case("conv lstm3d", _layer("ConvLSTM3D", 1, 2), ((1, 2, 2, 2, 3, 1),)),
    Case("time distributed", L.TimeDistributed(L.Conv1D(2, 2)), ((2, 3, 3, 2),)),
    Case(
        "time distributed model",
        L.TimeDistributed(keras.Sequential([keras.Input((4, 2)), L.Conv1D(2, 2), L.Flatten(), L.Dense(2)])),
        ((1, 3, 4, 2),),
    ),
]

TWO = ((2, 3, 4), (2, 5, 4))


def _attend(name, *args, **kwargs):
    call = {
        key: kwargs.pop(key) for key in list(kwargs) if key in {"use_causal_mask", "return_attention_scores"}
    }
    return lambda *xs: getattr(L, name)(*args, **kwargs)(*xs, **call)


def _listed(name, *args, **kwargs):
    call = {
        key: kwargs.pop(key) for key in list(kwargs) if key in {"use_causal_mask", "return_attention_scores"}
    }
    return lambda *xs: getattr(L, name)(*args, **kwargs)(list(xs), **call)


ATTENTION = [
    Case("mha", _attend("MultiHeadAttention", 2, 3), TWO),
    Case("mha self", lambda x: L.MultiHeadAttention(2, 3, value_dim=2, use_bias=False)(x, x), ((2, 3, 4),)),
    Case("mha key", _attend("MultiHeadAttention", 2, 3), ((1, 3, 4), (1, 4, 2), (1, 4, 3))),
    Case(
        "mha causal",
        lambda x: L.MultiHeadAttention(1, 3)(x, x, use_causal_mask=True),
        ((1, 4, 2),),
        ("gradient",),
    ),
    Case(
        "mha causal cross",
        lambda x: L.MultiHeadAttention(1, 2)(x[:, :3], x, use_causal_mask=True),
        ((1, 5, 2),),
        ("gradient",),
    ),
    Case(
        "mha causal dropout",
        lambda x: L.MultiHeadAttention(1, 2, dropout=0.5)(x, x, use_causal_mask=True),
        ((1, 4, 2),),
        ("gradient",),
    ),
    Case(
        "mha scores",
        _attend("MultiHeadAttention", 2, 2, return_attention_scores=True),
        ((1, 3, 2), (1, 2, 2)),
    ),
    Case(
        "mha output shape", _attend("MultiHeadAttention", 2, 2, output_shape=(3, 2)), ((1, 2, 2), (1, 2, 2))
    ),
    Case("mha axes", lambda x: L.MultiHeadAttention(1, 2, attention_axes=(2,))(x, x), ((1, 2, 3, 2),)),
    Case("mha both axes", lambda x: L.MultiHeadAttention(1, 2, attention_axes=(1, 2))(x, x), ((1, 2, 3, 2),)),
    Case(
        "mha all axes scores",
        lambda x: L.MultiHeadAttention(2, 2)(x, x, return_attention_scores=True),
        ((1, 2, 3, 2),),
    ),
    Case(
        "mha window",
        lambda x: L.MultiHeadAttention(1, 2, sliding_window=2)(x, x),
        ((1, 5, 2),),
        ("gradient",),
    ),
    Case(
        "mha causal window",
        lambda x: L.MultiHeadAttention(1, 2, sliding_window=2)(x, x, use_causal_mask=True),
        ((1, 5, 2),),
        ("gradient",),
    ),
    Case("mha gate", lambda x: L.MultiHeadAttention(1, 2, use_gate=True)(x, x), ((1, 3, 2),)),
    Case(
        "mha mask",
        lambda x, m: L.MultiHeadAttention(1, 2)(x, x, attention_mask=m > 1),
        ((1, 3, 2), (1, 3, 3)),
        ("gradient",),
        "data-dependent-mask",
    ),
    Case("gqa", _attend("GroupQueryAttention", 2, 4, 2), TWO),
    Case(
        "gqa causal",
        lambda x: L.GroupQueryAttention(2, 2, 1)(x, x, use_causal_mask=True),
        ((1, 4, 3),),
        ("gradient",),
    ),
    Case("attention", _listed("Attention"), TWO),
    Case("attention key", _listed("Attention", use_scale=True), ((1, 3, 4), (1, 4, 2), (1, 4, 4))),
    Case(
        "attention causal", lambda x: L.Attention()([x, x], use_causal_mask=True), ((1, 4, 1),), ("gradient",)
    ),
    Case("attention concat", _listed("Attention", score_mode="concat", return_attention_scores=True), TWO),
    Case("additive attention", _listed("AdditiveAttention"), TWO),
    Case("additive attention bare", _listed("AdditiveAttention", use_scale=False), TWO),
]

CHANGING = {"oracles": ("change",), "values": (0.0, 0.7), "draws": 12}


def _masked(*layers):
    def call(x):
        x = L.Masking()(x)
        for name, *args in layers:
            x = getattr(L, name)(*args, **({"return_sequences": True} if name == "LSTM" else {}))(x)
        return x

    return call


def _masked_attention(x, *, causal=False):
    masked = L.Masking()(x)
    return L.MultiHeadAttention(1, 2)(masked, masked, use_causal_mask=causal)


def _masked_causal_attention(x):
    return _masked_attention(x, causal=True)


# A mask is a comparison, so gradients and NaN miss what is read for it alone.
MASKS = [
    Case("masking", _masked(), ((2, 3, 2),), **CHANGING),
    Case("masking another value", _layer("Masking", mask_value=0.7), ((2, 3, 2),), **CHANGING),
    Case("masking lstm", _masked(("LSTM", 1)), ((1, 3, 2),), **CHANGING),
    Case("masking dense gru", _masked(("Dense", 2), ("Dropout", 0.5), ("GRU", 1)), ((1, 3, 2),), **CHANGING),
    Case("masking average", _masked(("GlobalAveragePooling1D",)), ((2, 3, 2),), **CHANGING),
    Case(
        "masking bidirectional",
        lambda x: L.Bidirectional(L.LSTM(1, return_sequences=True))(L.Masking()(x)),
        ((1, 3, 2),),
        **CHANGING,
    ),
    Case(
        "softmax mask",
        lambda x, m: L.Softmax()(x, mask=m > 1),
        ((2, 3), (2, 3)),
        reason="data-dependent-mask",
        **CHANGING,
    ),
    Case(
        "masking mha",
        _masked_attention,
        ((1, 3, 2),),
        reason="data-dependent-mask",
        **CHANGING,
    ),
    Case(
        "masking causal mha",
        _masked_causal_attention,
        ((1, 3, 2),),
        reason="data-dependent-mask",
        **CHANGING,
    ),
    Case(
        "masking attention",
        lambda x, y: L.Attention()([L.Masking()(x), L.Masking()(y)]),
        ((1, 2, 2), (1, 3, 2)),
        reason="data-dependent-mask",
        **CHANGING,
    ),
    Case(
        "masking maximum",
        lambda x, y: L.Maximum()([L.Masking()(x), L.Masking()(y)]),
        ((1, 2, 2), (1, 2, 2)),
        ("change",),
        values=(-0.7, 0.0, 0.7),
        draws=16,
    ),
    Case(
        "masking concatenate",
        lambda x, y: L.GRU(1)(L.Concatenate(axis=1)([L.Masking()(x), L.Masking()(y)])),
        ((1, 2, 2), (1, 1, 2)),
        **CHANGING,
    ),
    Case(
        "masking time distributed",
        lambda x: L.SimpleRNN(2)(L.TimeDistributed(L.Dense(2))(L.Masking()(x))),
        ((1, 3, 2),),
        **CHANGING,
    ),
    Case(
        "masked embedding",
        lambda x: L.LSTM(2)(L.Embedding(4, 2, mask_zero=True)(x)),
        ((2, 3),),
        ("change",),
        values=(0, 1, 2),
        draws=10,
        dtype="int64",
    ),
]

AUDIO = [
    Case(
        "stft spectrogram",
        _layer("STFTSpectrogram", mode="magnitude", frame_length=4, frame_step=2, fft_length=4),
        ((1, 12, 1),),
    ),
    Case(
        "stft spectrogram two",
        _layer("STFTSpectrogram", mode="real", frame_length=4, frame_step=3, padding="same"),
        ((1, 10, 2),),
    ),
    Case(
        "stft spectrogram expanded",
        _layer("STFTSpectrogram", mode="stft", frame_length=4, expand_dims=True),
        ((1, 8, 2),),
    ),
    Case(
        "stft spectrogram first",
        _layer("STFTSpectrogram", mode="psd", frame_length=4, data_format="channels_first", expand_dims=True),
        ((1, 2, 8),),
    ),
    Case(
        "mel spectrogram",
        _layer(
            "MelSpectrogram",
            fft_length=8,
            sequence_stride=4,
            sampling_rate=8000,
            num_mel_bins=3,
            power_to_db=False,
        ),
        ((2, 24),),
        ("gradient",),
        "zero-coefficient",
    ),
    Case(
        "mel spectrogram db",
        _layer(
            "MelSpectrogram",
            fft_length=8,
            sequence_stride=4,
            sequence_length=6,
            num_mel_bins=3,
            sampling_rate=8000,
        ),
        ((1, 24),),
        ("gradient",),
        "zero-coefficient",
    ),
]

CASES = [*RECURRENT, *ATTENTION, *MASKS, *AUDIO]
