"""The local Nitro's AWS: what it answers, with no machine behind it."""
