"""Spectrograms: windows along time."""

from __future__ import annotations

from math import ceil, log2

from eyeshot.frontends.keras.context import Context, lowers
from eyeshot.frontends.keras.layers.convolution import window
from eyeshot.frontends.keras.layers.layout import channels_first
from eyeshot.graph import Ref
from eyeshot.relations import All, Window
from eyeshot.relations.tables import pad


@lowers("layers.STFTSpectrogram")
def stft_spectrogram(ctx: Context, x: Ref) -> Ref:
    """Each frame reads a window of its own channel, by kernels that are weights."""
    options = ctx.options
    length = options.whole("frame_length", 256)
    step = options.whole("frame_step", max(1, length // 2))
    bins = options.whole("fft_length", 2 ** ceil(log2(length))) // 2 + 1
    mode = options.choice("mode", "log", "magnitude", "psd", "real", "imag", "angle", "stft")
    ctx.own(*[(length, 1, bins)] * (1 if mode in {"real", "imag"} else 2))
    x = x if channels_first(options) else ctx.permute(x, (0, 2, 1))
    batch, channels, size = x.shape
    amap, count = window(size, length, step, 1, options.choice("padding", "valid", "same"), options.where)
    bins *= 1 + (mode == "stft")
    frames = ctx.along(x, {2: (amap, count)})
    ctx.call.macs += batch * channels * count * length * bins * (1 if mode in {"real", "imag", "stft"} else 2)
    wide = ctx.broadcast(ctx.reshape(frames, (batch, channels, 1, count)), (batch, channels, bins, count))
    if not options.flag("expand_dims"):
        flat = ctx.reshape(wide, (batch, channels * bins, count))
        return flat if channels_first(options) else ctx.permute(flat, (0, 2, 1))
    return ctx.permute(wide, (0, 1, 3, 2) if channels_first(options) else (0, 3, 2, 1))


@lowers("layers.MelSpectrogram")
def mel_spectrogram(ctx: Context, x: Ref) -> Ref:
    """Each frame reads a window of the reflected signal; in decibels also the loudest of all, over the whole batch.

    Which bands hold any frequency at all is not worked out, so all of them count.
    """
    options = ctx.options
    fft, step = options.whole("fft_length", 2048), options.whole("sequence_stride", 512)
    length, bands = options.whole("sequence_length", fft), options.features("num_mel_bins")
    size = x.shape[-1]
    ready = ctx.along(x, {-1: (pad(fft // 2, fft // 2, size, "reflect"), size + 2 * (fft // 2))})
    before = (fft - length) // 2
    hann = options.get("window") == "hann"  # whose first coefficient is 0
    count = (ready.shape[-1] - fft) // step + 1
    frames = ctx.along(
        ready, {-1: (Window(length - hann, step, 1, -before - hann), count)}, reason="zero-coefficient"
    )
    wide = ctx.broadcast(ctx.reshape(frames, (*x.shape[:-1], 1, count)), (*x.shape[:-1], bands, count))
    if options.flag("power_to_db", default=True):
        loudest = ctx.along(wide, {axis: (All(), 1) for axis in range(len(wide.shape))}, summarises=True)
        wide = ctx.pointwise(wide, loudest)
    return wide
