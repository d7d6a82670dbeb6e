"""The local Nitro's parts, one by one. No virtual machine; what needs a tap or root is skipped
without."""
