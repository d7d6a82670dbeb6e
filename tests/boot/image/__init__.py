"""Images built from Debian's packages and booted, without the local Nitro around them."""
