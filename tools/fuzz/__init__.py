"""Readers of strangers' files, fed with whatever chance makes of good and hostile ones: typed errors only, and soon.

    python -m tools.fuzz [READER ...] [--count N] [--seconds S] [--seed N] [--atheris]

`seeds` builds files by code, `mutate` changes them with their structure in view, `targets` are the readers, `engine` draws
inputs and keeps those that are answered in a new way. With ``--atheris`` libFuzzer draws them instead, led by coverage.
"""
