"""What AWS does on some days: the faults of a day, chosen by a seed or written in a file.

    conditions.py  which faults, how often and for how long
    forecast.py    whether one happens now: the same at each run with the same seed
    calls.py       which API a request calls, of which service
    gate.py        faults of calls: throttled, refused, answered late or never
    visibility.py  new resources that are not found for a while

Faults of the account (capacity, imports, consoles, metadata) are asked of the forecast by the
parts that they happen to.
"""

from nitro.local.weather.conditions import FAIR, Conditions
from nitro.local.weather.forecast import Forecast

__all__ = ["FAIR", "Conditions", "Forecast"]
