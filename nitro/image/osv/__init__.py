"""OSv images: files put into a kernel that is built already."""
