"""Language runtimes: what a recipe's key `runtime` brings. Each file here is one."""
