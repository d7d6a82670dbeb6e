"""Linux images: Debian's cloud kernel, its first file system, GRUB, and the guest's own part."""
