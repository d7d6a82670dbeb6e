"""The card, driven by hand: `driver.py` is a guest that does as it is told, `fuzz.py` one that
does not. No virtual machine; real drivers are in `tests/boot/ena` and `tests/driver`.
"""
