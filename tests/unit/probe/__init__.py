"""What tools print, and what is made of it: recorded output, and servers of this machine."""
