"""AWS Batch on this machine: a job is a process with the variables that Batch sets.

    jobs.py       a job, its attempts and its states
    scheduler.py  which job may run, what becomes of one that ended
    runner.py     processes in place of containers
    resources.py  compute environments, queues, job definitions
    service.py    the operations of one region
    app.py        requests, held to botocore's model

The image of a job definition is not run: its command is, with this machine's programs on PATH.
"""
