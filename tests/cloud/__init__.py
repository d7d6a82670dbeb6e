"""AWS calls against moto in this process; `local/` against moto with the local Nitro's extensions.
No virtual machine: those are in `tests/boot`.
"""
