"""The driver's OSv binding in OSv kernels that you have built: see docs/ena-driver.md."""
