"""Package trees from a small archive made here; marked tests ask the real one."""
