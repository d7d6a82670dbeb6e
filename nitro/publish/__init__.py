"""From a disk to a release: one AMI in each of many regions, shared, named and found again.

What exists is read from AWS, each time; nothing is remembered on this machine.
"""
