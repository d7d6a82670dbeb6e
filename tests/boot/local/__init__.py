"""The local Nitro with machines in it, driven by boto3 alone."""
