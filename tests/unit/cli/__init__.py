"""What is typed and what is printed; not what the commands do."""
