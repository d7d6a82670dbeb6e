"""The card's inner loop in C: what the model does with a plain packet, several times as fast.

`build.py` compiles it where there is a compiler; a card works without it. The model decides when
it may be used, and is the reference: `tests/unit/ena/native/` holds the one against the other.
"""
