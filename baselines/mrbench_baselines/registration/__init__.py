"""Classical registration: every wrapper returns voxels of the fixed grid, pull-back, ``(3, z, y, x)``."""
