"""Tests that need no network, no virtual machine and no second process worth speaking of."""
