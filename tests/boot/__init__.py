"""What needs virtual machines: commands as a user runs them, images, the local Nitro, the card."""
