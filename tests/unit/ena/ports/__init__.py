"""The far ends of a card's cable that need no kernel; the tap is tested in `tests/boot/ena`."""
