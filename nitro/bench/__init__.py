"""Nightly network benchmarks: planned, recorded, judged and shown.

    plan.py      what is to be measured: cells, each a machine and a test, and their order
    sample.py    one run of one tool in one cell, with all its conditions
    record.py    samples in Parquet files, queried where they lie, by
    columns.py  store.py
    night.py     a night under way: what the plan says and the record lacks; schedule.py: in which
                 parts; images.py: of which images; claim.py: what a killed one has left
    submit.py    a night as jobs of AWS Batch; campaign.py: what they are told
    history.py   each cell night by night; changes.py: its steps; triage.py: what changed with one
    verdict.py   a night judged, for people by summary.py, told by notify.py
    compare.py   two sides against each other
    export.py    the record for other programs; report/: as a page

A night is keyed by its UTC date. A cell is measured several times a night; a sample's id follows
from plan, night, cell and repetition, so that a night that is run again adds nothing.
"""
