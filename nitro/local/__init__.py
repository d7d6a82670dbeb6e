"""The local Nitro: an AWS endpoint on this machine whose instances are real virtual machines.

Not here: how images are made or published. Those speak to this endpoint as they speak to AWS.
"""
